"""A file that is fetched piece by piece reads like the whole one, and no more is fetched than is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.audio_file import AudioFile, Pieces
from pipeline.audio.sample_store import MemoryStore
from pipeline.audio.tracks import DecodingHooks, DecodingPolicy, read_track, read_waveform
from schemas.features import WaveformSpec


class Store:
    """A store with a file, and a sparse local copy of it."""

    def __init__(self, whole: Path, copy: Path) -> None:
        self.data = whole.read_bytes()
        self.brought = 0
        self.copy = copy
        with open(copy, "wb") as file:
            file.truncate(len(self.data))

    def fetch(self, offset: int, length: int) -> None:
        assert offset + length <= len(self.data)
        self.brought += length
        with open(self.copy, "r+b") as file:
            file.seek(offset)
            file.write(self.data[offset : offset + length])

    @property
    def file(self) -> AudioFile:
        return AudioFile(str(self.copy), Pieces(len(self.data), self.fetch))


@pytest.fixture
def sound() -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.1, size=(120 * 44_100, 2))


@pytest.mark.parametrize(
    ("ending", "excerpt", "share"),
    [("wav", "center:5", 0.15), ("flac", "center:5", 0.3), ("mp3", "start:5", 0.5), ("ogg", "full", 1.0)],
)
def test_an_excerpt_brings_the_pieces_that_it_needs(
    ending: str, excerpt: str, share: float, sound: np.ndarray, tmp_path: Path
) -> None:
    whole = tmp_path / f"a.{ending}"
    with soundfile.SoundFile(whole, "w", 44_100, 2) as file:
        for start in range(0, len(sound), 44_100):  # libsndfile's Vorbis encoder crashes on two minutes in one call
            file.write(sound[start : start + 44_100])
    store = Store(whole, tmp_path / f"copy.{ending}")
    samples = MemoryStore()
    track = read_track(store.file, WaveformSpec(excerpt), DecodingPolicy(), samples, DecodingHooks())
    found = samples.read(track.first, track.end)
    np.testing.assert_array_equal(found, read_waveform(str(whole), WaveformSpec(excerpt)).samples)
    assert store.brought <= share * len(store.data)


def test_no_piece_is_brought_twice(sound: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound, 44_100)
    store = Store(tmp_path / "a.wav", tmp_path / "copy.wav")
    file = store.file
    for _ in range(2):
        with file.open() as opened:
            assert opened.read() == store.data
    assert store.brought == len(store.data)
