"""Writes odd files and decodes them in a decoding process, since a file may crash it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.isolation import DecodingProcess
from schemas.features import LogMelSpec, WaveformSpec
from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.signals import bursts

SPEC = LogMelSpec(waveform=WaveformSpec("full"))
NO_DECODER = (Cause.UNSUPPORTED_FORMAT, Cause.NO_AUDIO, Cause.DECODE_ERROR)  # causes for a stream without a decoder
PYTHON_EXCEPTION = re.compile(r"\b[A-Z]\w+(Error|Exception)\b")  # in a reject's message it means an unexpected error


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Result of decoding a file.

    Attributes:
        samples: int16 [samples] at 16 kHz; None for a reject.
        seconds: length of the source.
        channels: number of channels of the source.
        flags: flags of the track.
        cause: cause of the reject; None for a track.
        message: the decoder's message.
    """

    samples: npt.NDArray[np.int16] | None
    seconds: float = 0.0
    channels: int = 0
    flags: tuple[str, ...] = ()
    cause: Cause | None = None
    message: str | None = None

    @property
    def waveform(self) -> npt.NDArray[np.int16]:
        """The samples of a file that is not rejected."""
        assert self.samples is not None, f"the file is rejected: {self.cause}: {self.message}"
        return self.samples


Decode = Callable[[Path], Outcome]
WriteSound = Callable[..., Path]


@pytest.fixture(scope="session")
def decode() -> Iterator[Decode]:
    """Decodes a file in a separate process."""
    with DecodingProcess(SPEC) as process:

        def outcome_of(path: Path) -> Outcome:
            try:
                features = process.features(str(path))
            except TrackRejected as rejected:
                return Outcome(None, cause=rejected.cause, message=rejected.message)
            facts = features.facts
            return Outcome(
                features.waveform.array(),
                facts["source_seconds"],
                facts["channels"],
                tuple(facts["flags"]),
                message=facts["message"],
            )

        yield outcome_of


@pytest.fixture
def write_sound(ffmpeg: str, tmp_path: Path) -> WriteSound:
    """Encodes some seconds of seeded sound, or the given samples, with ffmpeg."""

    def write(
        name: str,
        options: str,
        *,
        seconds: float = 3.0,
        rate: int = 44_100,
        channels: int = 2,
        sound: npt.NDArray[np.float32] | None = None,
    ) -> Path:
        source = tmp_path / f"{name}.source.wav"
        soundfile.write(source, bursts(seconds, rate, channels) if sound is None else sound, rate, subtype="PCM_16")
        ffmpeg_program.encode(ffmpeg, [(source, options.split(), tmp_path / name)])
        source.unlink()
        return tmp_path / name

    return write
