"""Reads a file with the engine that the product chooses for it, before anything is mixed or resampled."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.engines import OpenSource, open_ffmpeg, open_libsndfile
from pipeline.audio.recognition import recognize
from pipeline.audio.tracks import read_waveform
from schemas.features import WaveformSpec

FULL = WaveformSpec("full")


@dataclasses.dataclass(frozen=True)
class EngineDecode:
    """The result of decoding a file with an engine.

    Attributes:
        samples: the samples, float32 [frames, channels].
        rate: sample rate in Hz.
        corrupt: the engine's message about damage, or None.
    """

    samples: npt.NDArray[np.float32]
    rate: int
    corrupt: str | None


def chosen_engine(path: Path) -> OpenSource:
    """The engine that the product uses; only libsndfile's codec names contain the container, as in `wav/pcm_16`."""
    return open_libsndfile if "/" in read_waveform(str(path), FULL).track.codec else open_ffmpeg


def decode_with(engine: OpenSource, path: Path) -> EngineDecode:
    """All blocks of an engine's source, put together."""
    source = engine(recognize(AudioFile(str(path))))
    try:
        blocks = [block.copy() for block in source.blocks()]  # an engine may reuse a block's memory
        return EngineDecode(np.concatenate(blocks), source.sample_rate, source.corrupt)
    finally:
        source.close()
