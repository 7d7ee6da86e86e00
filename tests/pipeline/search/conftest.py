"""Folders of tags with synthetic embeddings, which need neither a model nor audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from schemas.features import LogMelSpec, WaveformSpec
from tests.pipeline.tagging.conftest import write_model

Tracks = Callable[..., TaggedTracks]
TAGS = ("rock", "hip hop", "a>b", "tag <i>ünïcode</i>")
WIDTH = 37


@pytest.fixture(scope="session")
def make_tracks() -> Tracks:
    """Makes tracks with clustered embeddings that follow from a seed; five share each group, three each waveform."""

    def make(count: int, seed: int = 0, first: int = 0, **fields: object) -> TaggedTracks:
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(7, WIDTH))
        values = np.maximum(centres[rng.integers(7, size=count)] + 0.2 * rng.normal(size=(count, WIDTH)), 0)
        numbers = range(first, first + count)
        made = {
            "ids": [f"träck {number:05d}" for number in numbers],
            "groups": [f"artist {number // 5}" for number in numbers],
            "embeddings": values.astype(np.float16),
            "scores": rng.random((count, len(TAGS))).astype(np.float16),
            "pcm": [f"{number // 3:064x}" for number in numbers],
        }
        return TaggedTracks(**{**made, **fields})

    return make


@pytest.fixture
def tagged(tmp_path: Path, make_tracks: Tracks) -> tuple[Path, TaggedTracks]:
    """Tags of 300 tracks in four shards, and what is in them."""
    tracks = make_tracks(300)
    write_generation(tmp_path / "tags", tracks, shards=4, tags=TAGS)
    return tmp_path / "tags", tracks


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spectrogram model; tests only read it."""
    return write_model(tmp_path_factory.mktemp("model") / "spectrogram", LogMelSpec(WaveformSpec("center:30")))


def harm_file(index: Path, ending: str, harm: str) -> None:
    """Flips a bit of the file of an index with this ending, cuts it, empties it, or loses it."""
    (file,) = index.glob(f"*{ending}")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    if harm == "lose":
        file.unlink()
    else:
        file.write_bytes({"flip": bytes(data), "cut": bytes(data[: len(data) // 2]), "empty": b""}[harm])
