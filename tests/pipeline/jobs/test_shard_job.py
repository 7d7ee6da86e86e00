"""Done marks show which shards of a job are done."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.decode.shards import ShardJob
from pipeline.jobs.shard_job import is_done, unfinished_shards
from schemas.dataset_manifest import DatasetManifest
from tests.conftest import SmallCorpus


@pytest.fixture
def job(dataset: Path, small_corpus: SmallCorpus) -> ShardJob:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    return ShardJob(str(dataset), 0, manifest.families, str(small_corpus.folder))


def test_unfinished_shards_lack_a_mark_of_some_family(job: ShardJob, dataset: Path) -> None:
    assert unfinished_shards(job, 4) == []
    marks = sorted((dataset / "features").rglob("part-*.json"))
    for mark in (marks[1], marks[7]):
        mark.unlink()
    assert unfinished_shards(job, 4) == [1, 3]
    assert unfinished_shards(job, 6) == [1, 3, 4, 5]


def test_a_shard_is_done_when_every_family_has_its_mark(job: ShardJob, dataset: Path) -> None:
    assert is_done(job, 0)
    next((dataset / "features").rglob("part-00000.json")).unlink()
    assert not is_done(job, 0)
    assert is_done(job, 1)
