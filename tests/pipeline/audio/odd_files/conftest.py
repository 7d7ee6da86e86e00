"""Odd files and what becomes of them in a decoding process, which one of them may crash."""

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
NO_DECODER = (Cause.UNSUPPORTED_FORMAT, Cause.NO_AUDIO, Cause.DECODE_ERROR)  # of a stream that nobody decodes
PYTHON_EXCEPTION = re.compile(r"\b[A-Z]\w+(Error|Exception)\b")  # in the words of a reject: one that nobody foresaw


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Attributes:
        samples: int16 [samples] at 16 kHz; None for a reject.
        seconds: of the source.
        channels: of the source.
        flags: of the track.
        cause: of the reject.
        message: the decoder's words.
    """

    samples: npt.NDArray[np.int16] | None
    seconds: float = 0.0
    channels: int = 0
    flags: tuple[str, ...] = ()
    cause: Cause | None = None
    message: str | None = None

    @property
    def waveform(self) -> npt.NDArray[np.int16]:
        """The samples of a file that is kept."""
        assert self.samples is not None, f"the file is rejected: {self.cause}: {self.message}"
        return self.samples


Decode = Callable[[Path], Outcome]
WriteSound = Callable[..., Path]


@pytest.fixture(scope="session")
def decode() -> Iterator[Decode]:
    """Decodes a file in a process of its own."""
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
    """Encodes seconds of the seeded sound, or samples of the caller's, by ffmpeg: name, its options, rate, channels."""

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
