"""The endings that a folder is searched for are those of the formats that the engines read."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from pipeline.audio.ffmpeg_formats import READ
from pipeline.audio.file_endings import AUDIO_ENDINGS, has_audio_ending
from pipeline.audio.tracks import read_waveform
from schemas.features import WaveformSpec

# Endings that FFmpeg also takes for these formats: of pictures, of streams without music, and names of other kinds of files.
_LEFT_OUT = frozenset(
    (*("apc", "apl", "mac", "avif", "heic", "heif", "ism", "isma", "ismv", "mj2", "psp", "mk3d", "mks", "mjpg"),)
    + (*("dif", "dv", "ircam", "sf", "nut", "msbc", "sbc", "iamf", "laf", "lc3", "bonk", "rso", "svag", "vqe"),)
    + (*("vql", "wa", "xmv"),)
)


def test_every_ending_of_ffmpegs_formats_is_searched_for_or_left_out_on_purpose() -> None:
    names = {f".{ending}" for ending in _LEFT_OUT}
    assert not names & AUDIO_ENDINGS
    for name in sorted(av.formats_available):
        if set(name.split(",")) & set(READ):
            try:
                endings = av.ContainerFormat(name, "r").extensions
            except ValueError:  # one that can only be written
                continue
            assert {f".{ending}" for ending in endings} <= AUDIO_ENDINGS | names, name


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".au", ".caf", ".w64", ".rf64"])
def test_a_file_that_libsndfile_writes_is_found_and_decoded(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"song{ending.upper()}"
    sound = np.sin(np.arange(16_000) / 9) / 2
    if ending == ".opus":
        soundfile.write(path, sound, 16_000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, sound, 16_000, format="RF64" if ending == ".rf64" else None)
    assert has_audio_ending(str(path))
    assert len(read_waveform(str(path), WaveformSpec("full")).samples) > 15_000


@pytest.mark.parametrize("name", ["notes.txt", "mp3", ".mp3", "a.mp3/cover.jpg", "song.mp3.part", "gs://bucket/a.ts"])
def test_another_ending_is_left_out(name: str) -> None:
    assert not has_audio_ending(name)
