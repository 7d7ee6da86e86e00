"""Two folders of tags over one catalog, which need neither a model nor audio."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_tags import TaggedTracks, write_generation

TAGS = ("rock", "hip hop", "tag <i>ünïcode</i>", "jazz")
GENRES = ("pop", "folk", None)

Tracks = Callable[..., TaggedTracks]


@pytest.fixture(scope="session")
def make_tracks() -> Tracks:
    """Makes tracks whose scores follow from a seed, with many equal ones; four share each group."""

    def make(count: int, seed: int = 0, first: int = 0, tags: int = len(TAGS), **fields: object) -> TaggedTracks:
        rng = np.random.default_rng(seed)
        base = np.random.default_rng(7).random((first + count, tags))[first:]
        scores = np.clip(base + rng.normal(scale=0.1, size=base.shape), 0, 1)
        scores = np.where(rng.random(scores.shape) < 0.3, np.round(scores, 1), scores)  # ties, and 0, 0.5 and 1
        numbers = range(first, first + count)
        made = {
            "ids": [f"träck {number:05d}" for number in numbers],
            "groups": [f"artist {number // 4}" for number in numbers],
            "embeddings": np.zeros((count, 2), np.float16),
            "scores": scores.astype(np.float16),
            "pcm": [f"{number:064x}" for number in numbers],
        }
        return TaggedTracks(**{**made, **fields})

    return make


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two folders of tags, and what is in them.

    Attributes:
        old: The folder in use.
        new: The folder that may replace it.
        before: Tracks of the first.
        after: Tracks of the second.
    """

    old: Path
    new: Path
    before: TaggedTracks
    after: TaggedTracks


@pytest.fixture
def pair(tmp_path: Path, make_tracks: Tracks) -> Pair:
    """Tags of 300 tracks by two models, cut into other shards, with a catalog that names their genres."""
    before, after = make_tracks(300, seed=1), make_tracks(300, seed=2)
    rows = [f"{track},{track}.mp3,{GENRES[number % 3] or ''}" for number, track in enumerate(before.ids)]
    (tmp_path / "catalog.csv").write_text("\n".join(["track_id,uri,genre", *rows, ""]))
    write_generation(tmp_path / "old", before, shards=4, tags=TAGS)
    write_generation(tmp_path / "new", after, shards=7, tags=TAGS, model="f" * 64)
    return Pair(tmp_path / "old", tmp_path / "new", before, after)
