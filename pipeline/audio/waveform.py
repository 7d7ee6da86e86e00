"""From an audio file to the stored waveform: decode, mix to mono, resample, cut, round to int16."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import Decoder, open_source
from pipeline.audio.sources import AudioSource
from schemas.features import INT16_SCALE, Excerpt, WaveformSpec

CLIPPED_SHARE = 1e-4  # of samples beyond full scale that makes a track count as clipped
SILENT_PEAK = 1  # int16 steps: all that rounding leaves of silence, or of two channels in antiphase
TRUNCATED_SECONDS = 0.5  # missing against the header's claim that makes a track count as truncated


@dataclasses.dataclass(frozen=True)
class Waveform:
    """A decoded track.

    Attributes:
        samples: int16 [samples], mono at the spec's rate, the excerpt alone.
        source_seconds: length of the whole decoded source.
        sample_rate: of the source, Hz.
        channels: of the source.
        codec: of the source.
        flags: sorted; among clipped, damaged, non_finite, silent, truncated.
    """

    samples: npt.NDArray[np.int16]
    source_seconds: float
    sample_rate: int
    channels: int
    codec: str
    flags: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the samples."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "samples"}


def read_waveform(
    path: str, spec: WaveformSpec, decoder: Decoder = "auto", on_progress: Callable[[], None] | None = None
) -> Waveform:
    """Decode a file into the waveform that `spec` means.

    Args:
        path: a local audio file of any rate and channel count.
        spec: rate and excerpt.
        decoder: see `open_source`.
        on_progress: called after each decoded block.

    Raises:
        TrackRejected: no decoder reads the file, or it holds no samples.
    """
    source = open_source(path, decoder)
    try:
        mono = _MonoBlocks(source, on_progress or (lambda: None))
        # Blocks are rounded as they come, so a whole track is held once, at two bytes a sample.
        blocks = [_to_int16(block) for block in _resampled(mono, spec.sample_rate)]
        samples = np.concatenate(blocks) if blocks else np.empty(0, np.int16)
        if len(samples) == 0:
            raise TrackRejected(Cause.EMPTY, "the file decodes to no samples")
        first, end = Excerpt.parse(spec.excerpt).bounds(len(samples), spec.sample_rate)
        samples = samples[first:end]
        return Waveform(
            samples=samples,
            source_seconds=mono.frames / source.sample_rate,
            sample_rate=source.sample_rate,
            channels=source.channels,
            codec=source.codec,
            flags=_flags(source, mono, samples),
        )
    finally:
        source.close()


class _MonoBlocks:
    """Iterates over a source's blocks mixed to mono, counting what it meets."""

    def __init__(self, source: AudioSource, on_progress: Callable[[], None]) -> None:
        self.source = source
        self._on_progress = on_progress
        self.frames = 0
        self.beyond_full_scale = 0
        self.non_finite = False

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for block in self.source.blocks():
            channels = block.shape[1]
            # The mean of the channels as a product: 20 times faster than mean(axis=1).
            with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is counted below
                mono = block[:, 0] if channels == 1 else block @ np.full(channels, 1 / channels, np.float32)
            if not np.isfinite(mono.sum()):
                finite = np.isfinite(mono)
                if not finite.all():
                    self.non_finite = True
                    mono = np.where(finite, mono, np.float32(0))
            self.frames += len(mono)
            self.beyond_full_scale += int(np.count_nonzero(np.abs(mono) > 1))
            self._on_progress()
            yield mono


def _resampled(mono: _MonoBlocks, sample_rate: int) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks at `sample_rate`, by one soxr stream over the whole track."""
    stream: Any = None
    for block in mono:
        # The source's rate is read here and not before: some formats show it only with the first decoded frame.
        if mono.source.sample_rate == sample_rate:
            yield block
            continue
        if stream is None:
            stream = soxr.ResampleStream(mono.source.sample_rate, sample_rate, 1, dtype="float32", quality="HQ")
        yield stream.resample_chunk(block, last=False)
    if stream is not None:
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _to_int16(block: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Round to int16, full scale at 32768; beyond full scale is clipped."""
    scaled = np.rint(block * np.float32(INT16_SCALE))
    rounded: npt.NDArray[np.int16] = np.clip(scaled, -INT16_SCALE, INT16_SCALE - 1).astype(np.int16)
    return rounded


def _flags(source: AudioSource, mono: _MonoBlocks, samples: npt.NDArray[np.int16]) -> tuple[str, ...]:
    missing = 0 if source.claimed_frames is None else source.claimed_frames - mono.frames
    found = {
        "clipped": mono.beyond_full_scale > CLIPPED_SHARE * mono.frames,
        "damaged": source.damaged,
        "non_finite": mono.non_finite,
        "silent": bool(samples.max() <= SILENT_PEAK and samples.min() >= -SILENT_PEAK),
        "truncated": missing > TRUNCATED_SECONDS * source.sample_rate,
    }
    return tuple(name for name, is_set in found.items() if is_set)
