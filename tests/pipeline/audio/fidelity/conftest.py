"""The encodings as files, the ffmpeg program's output for them, and a fixture that sets the engines' block size."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.fidelity.encodings import ENCODINGS, SECONDS, Encoding
from tests.pipeline.audio.signals import bursts

SetBlockFrames = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class EncodedSounds:
    """Every encoding as a file.

    Attributes:
        folder: folder of the files.
        references: name -> float32 [frames, channels], decoded by the ffmpeg program.
    """

    folder: Path
    references: dict[str, npt.NDArray[np.float32]]

    def path(self, encoding: Encoding) -> Path:
        return self.folder / f"{encoding.name}.{encoding.ending}"


@pytest.fixture(scope="session")
def encoded(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> EncodedSounds:
    folder = tmp_path_factory.mktemp("encoded")
    encoded = EncodedSounds(folder, {})
    sources: dict[tuple[int, int], Path] = {}
    by_ffmpeg = []
    for encoding in ENCODINGS:
        shape = (encoding.rate, encoding.channels)
        if shape not in sources:
            sources[shape] = folder / f"source-{encoding.rate}-{encoding.channels}.wav"
            soundfile.write(sources[shape], bursts(SECONDS, *shape), encoding.rate, subtype="PCM_24")
        if encoding.ffmpeg:
            by_ffmpeg.append((sources[shape], encoding.ffmpeg, encoded.path(encoding)))
        else:
            kind, subtype = encoding.libsndfile
            soundfile.write(
                encoded.path(encoding), bursts(SECONDS, *shape), encoding.rate, format=kind, subtype=subtype,
                **dict(encoding.options),
            )  # fmt: skip
    files = [(encoded.path(encoding), encoding.decoder) for encoding in ENCODINGS]
    ffmpeg_program.encode(ffmpeg, by_ffmpeg)
    try:
        decoded = ffmpeg_program.decode_all(ffmpeg, files)
    except RuntimeError:  # on a busy machine the program once wrote an ALAC file that it could not read
        ffmpeg_program.encode(ffmpeg, by_ffmpeg)
        decoded = ffmpeg_program.decode_all(ffmpeg, files)
    for encoding in ENCODINGS:
        encoded.references[encoding.name] = decoded[encoded.path(encoding)].reshape(-1, encoding.channels)
    return encoded


@pytest.fixture(scope="session")
def quiet_vbr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s of quiet tones with bursts of noise: an mp3 whose frames refer far back to earlier ones."""
    path = tmp_path_factory.mktemp("quiet") / "quiet.mp3"
    sound = bursts(20.0, 44_100, 2, tone=0.02, noise=0.2)
    options = {"bitrate_mode": "VARIABLE", "compression_level": 0.9}
    soundfile.write(path, sound, 44_100, format="MP3", subtype="MPEG_LAYER_III", **options)
    return path


@pytest.fixture
def set_block_frames(monkeypatch: pytest.MonkeyPatch) -> SetBlockFrames:
    """Sets the number of frames per block in every module that imported the constant."""

    def set_to(frames: int) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("pipeline.audio") and hasattr(module, "BLOCK_FRAMES"):
                monkeypatch.setattr(module, "BLOCK_FRAMES", frames)

    return set_to
