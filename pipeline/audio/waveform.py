"""Turn an open source into the stored waveform: decode, mix to mono, resample, cut, round to int16."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.audio.bitstreams import BitstreamWatch
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import OpenSource
from pipeline.audio.excerpts import Window, window_of
from pipeline.audio.int16_samples import to_int16
from pipeline.audio.limits import LengthCheck, Limits
from pipeline.audio.recognition import Recognized
from pipeline.audio.sample_store import SampleStore
from pipeline.audio.sources import AudioSource
from schemas.features import Excerpt, WaveformSpec

CLIPPED_SHARE = 1e-4  # share of samples beyond full scale from which a track counts as clipped
SILENT_PEAK = 1  # int16 steps: the most that rounding leaves of silence, or of two channels in antiphase
_READ_SAMPLES = 1 << 16  # read back at a time: the first read already distinguishes most tracks from silence


@dataclasses.dataclass(frozen=True)
class DecodedTrack:
    """A track as one engine decoded it; the samples lie in a store.

    Attributes:
        first, end: Bounds of the excerpt in the store, in samples.
        source_seconds: Length of the whole source: as decoded, or as its header claims if only a part was decoded.
        sample_rate: Sample rate of the source in Hz.
        channels: Number of channels of the source.
        codec: Codec of the source.
        flags: Sorted flags: clipped, corrupt, non_finite, several_streams, silent and, added later, truncated.
        message: The decoder's message about data that it could not decode, or which of several streams this is.
        claimed_seconds: Length that a header claims, as the engine read it; None if it claims none.
        at_end: True if the source was decoded to its end.
        unread: True if the file holds more audio after the point where the engine ended.
    """

    first: int
    end: int
    source_seconds: float
    sample_rate: int
    channels: int
    codec: str
    flags: tuple[str, ...]
    message: str | None
    claimed_seconds: float | None
    at_end: bool
    unread: bool

    def facts(self) -> dict[str, Any]:
        """Its columns in the tracks table."""
        names = ("source_seconds", "sample_rate", "channels", "codec", "flags", "message")
        return {name: getattr(self, name) for name in names}


class _LengthWrongError(Exception):
    """The excerpt was sought at a position computed from a wrong header."""


def decode(
    open_source: OpenSource,
    found: Recognized,
    spec: WaveformSpec,
    store: SampleStore,
    limits: Limits,
    on_progress: Callable[[], None],
) -> DecodedTrack:
    """Decode a file with one engine into a store.

    Args:
        open_source: The engine.
        found: A file of any rate and channel count.
        spec: Sample rate and excerpt.
        store: Receives the samples, perhaps more than those of the excerpt.
        limits: Maximum lengths.
        on_progress: Called after each decoded block.

    Raises:
        TrackRejected: the engine cannot read the file, it holds no samples or a bitstream posing as samples, or it exceeds
            the limits.
    """
    excerpt = Excerpt.parse(spec.excerpt)
    try:
        with contextlib.closing(open_source(found)) as source:
            window = window_of(excerpt, source.length, source.sample_rate, spec.sample_rate)
            return _decoded(source, window, spec, store, limits, on_progress)
    except _LengthWrongError:
        with contextlib.closing(open_source(found)) as source:
            return _decoded(source, None, spec, store, limits, on_progress)


def _decoded(
    source: AudioSource,
    window: Window | None,
    spec: WaveformSpec,
    store: SampleStore,
    limits: Limits,
    on_progress: Callable[[], None],
) -> DecodedTrack:
    """The part of a source in a window; without one the whole source is decoded, and then cut."""
    excerpt = Excerpt.parse(spec.excerpt)
    check_length = LengthCheck(limits, excerpt, spec.sample_rate)
    if source.length is not None:
        seconds = source.length / source.sample_rate
        if check_length.is_beyond(seconds) and source.seek_exactly(source.length - 1):
            check_length(seconds)  # the header's length is right, so no block needs decoding
    mono = _MonoBlocks(source, window, check_length, on_progress)
    begin = store.length
    for block in _resampled(mono, spec.sample_rate):
        store.append(to_int16(block))
    total = store.length - begin
    if mono.window is None:
        first, end = excerpt.bounds(total, spec.sample_rate)
    else:
        first, end = mono.window.skip, min(mono.window.skip + mono.window.samples, total)
    if end <= first:
        raise TrackRejected(Cause.EMPTY, "the file decodes to no samples")
    return DecodedTrack(
        first=begin + first,
        end=begin + end,
        source_seconds=mono.source_frames / source.sample_rate,
        sample_rate=source.sample_rate,
        channels=source.channels,
        codec=source.codec,
        flags=_flags(mono, store, begin + first, begin + end),
        message=source.corrupt or source.choice,
        claimed_seconds=source.claimed_seconds,
        at_end=mono.at_end,
        unread=mono.at_end and source.has_unread_data(),
    )


class _MonoBlocks:
    """Iterates over a source's blocks mixed to mono, restricted to a window, and counts irregular samples.

    Attributes:
        source_frames: Length of the whole source in frames.
        at_end: True if the source was read to its end.
    """

    def __init__(
        self,
        source: AudioSource,
        window: Window | None,
        check_length: Callable[[float], None],
        on_progress: Callable[[], None],
    ) -> None:
        self.source = source
        self.window = window
        self._check_length = check_length
        self._on_progress = on_progress
        self._watch = BitstreamWatch()
        self.source_frames = 0
        self.at_end = False
        self.mixed_frames = 0
        self.beyond_full_scale = 0
        self.non_finite = False
        self._mono = np.empty(0, np.float32)

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        source, window = self.source, self.window
        rate = source.sample_rate
        sought = window is not None and window.first > 0 and source.seek_exactly(window.first)
        # If the position of the excerpt depends on an unverified length, decode to the end to check it.
        may_stop = sought or (window is not None and window.first == window.skip == 0)
        position = window.first if window is not None and sought else 0
        for block in source.blocks():
            if window is None:
                yield self._mixed(block)
            else:
                if source.sample_rate != rate:  # the first decoded frame has another rate than the header
                    raise _LengthWrongError
                part = block[max(0, window.first - position) : max(0, window.end - position)]
                if len(part):
                    yield self._mixed(part)
            position += len(block)
            self._check_length(position / source.sample_rate)
            self._on_progress()
            if may_stop and window is not None and position >= window.end:
                self._watch.decide()
                self.source_frames = source.length or round((source.claimed_seconds or 0) * rate) or position
                return
        if window is not None and position != source.length and window.first + window.skip > 0:
            raise _LengthWrongError
        self._watch.decide()
        self.source_frames = position
        self.at_end = True

    def _mixed(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._watch.hear(block)
        mono = self._mean(block)
        self.mixed_frames += len(mono)
        # Two quick checks clear most blocks; a comparison with NaN is false.
        if not (mono.max(initial=0) <= 1 and mono.min(initial=0) >= -1):
            finite = np.isfinite(mono)
            if not finite.all():
                self.non_finite = True
                mono = np.where(finite, mono, np.float32(0))
            self.beyond_full_scale += int(np.count_nonzero(np.abs(mono) > 1))
        return mono

    def _mean(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The mean of the channels, added one by one so that the bits do not depend on where a block begins.

        The result goes into one reused array, which is 20 times faster than mean(axis=1).
        """
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        if len(self._mono) < len(block):
            self._mono = np.empty(len(block), np.float32)
        mono = self._mono[: len(block)]
        with np.errstate(invalid="ignore", over="ignore"):  # the caller counts non-finite samples
            np.add(block[:, 0], block[:, 1], out=mono)
            for channel in range(2, channels):
                mono += block[:, channel]
            mono *= np.float32(1 / channels)
        return mono


def _resampled(mono: _MonoBlocks, sample_rate: int) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks at `sample_rate`, by one soxr stream over the whole track."""
    stream: Any = None
    for block in mono:
        # The source's rate is read here and not earlier: some formats reveal it only with the first decoded frame.
        if mono.source.sample_rate == sample_rate:
            yield block
            continue
        if stream is None:
            stream = soxr.ResampleStream(mono.source.sample_rate, sample_rate, 1, dtype="float32", quality="HQ")
        yield stream.resample_chunk(block, last=False)
    if stream is not None:
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _flags(mono: _MonoBlocks, store: SampleStore, first: int, end: int) -> tuple[str, ...]:
    found = {
        "clipped": mono.beyond_full_scale > CLIPPED_SHARE * mono.mixed_frames,
        "corrupt": mono.source.corrupt is not None,
        "non_finite": mono.non_finite,
        "several_streams": mono.source.choice is not None,
        "silent": all(
            np.abs(store.read(start, min(start + _READ_SAMPLES, end)).astype(np.int32)).max() <= SILENT_PEAK
            for start in range(first, end, _READ_SAMPLES)
        ),
    }
    return tuple(name for name, is_set in found.items() if is_set)
