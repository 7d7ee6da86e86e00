"""A catalog and a dataset are scored, shard by shard, with the guarantees of a build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from pipeline.tagging.verify_tags import verify_tags
from schemas.tags import Tags

Contents = Callable[..., dict[str, str]]
ONE = TagOptions(workers=1, shards=4, excerpt="center:30")


def rows_of(out: Path) -> dict[str, dict[str, object]]:
    """Track -> its row of scores."""
    files = sorted(out.glob("scores/gen-*/*.parquet"))
    return {row["track_id"]: row for file in files for row in pq.read_table(file).to_pylist()}


@pytest.fixture(scope="session")
def tagged(small_corpus, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus, scored from its audio by one worker; tests only read it."""
    out = tmp_path_factory.mktemp("tagged") / "tags"
    summary = tag(str(model), str(out), catalog=small_corpus.catalog, options=ONE)
    assert (summary.tracks, summary.records, summary.rejects) == (24, 24, {})
    return out


def test_a_catalog_and_its_dataset_get_the_same_scores(tagged: Path, built_dataset: Path, model: Path, tmp_path: Path) -> None:
    summary = tag(str(model), str(tmp_path / "tags"), dataset=str(built_dataset))
    assert (summary.built, summary.records, summary.rejects) == ((0,), 24, {})
    from_audio, stored = rows_of(tagged), rows_of(tmp_path / "tags")
    assert stored.keys() == from_audio.keys()
    for track, row in stored.items():
        assert row == from_audio[track]
    assert verify_tags(str(tagged)).problems == verify_tags(str(tmp_path / "tags")).problems == ()
    assert len({tuple(row["scores"]) for row in stored.values()}) > 8  # some tracks sound the same
    assert Tags.open(str(tagged)).manifest.model.embedding == 8
    assert np.ptp([row["embedding"] for row in stored.values()], axis=0).min() > 0
