"""Closing a generation: its parts are the ones that the done marks name, and its counts reconcile."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import read_catalog
from pipeline.decode.generations import close_generation, wanted_tracks
from pipeline.decode.shards import ShardJob
from schemas.dataset import Dataset
from schemas.errors import DatasetError
from schemas.manifests import DatasetManifest
from tests.conftest import TRACKS, SmallCorpus


@pytest.fixture
def job(dataset: Path, small_corpus: SmallCorpus) -> ShardJob:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    return ShardJob(str(dataset), 0, manifest.families, str(small_corpus.folder))


def test_closing_again_gives_the_same_entry_and_bytes(job: ShardJob, dataset: Path) -> None:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    before = (dataset / "tracks" / "gen-000.parquet").read_bytes()
    entry, table = close_generation(job, manifest)
    assert entry == manifest.generations[0]
    assert table.num_rows == TRACKS
    assert (dataset / "tracks" / "gen-000.parquet").read_bytes() == before


def test_a_missing_part_is_named(job: ShardJob, dataset: Path) -> None:
    (dataset / "tracks" / "gen-000" / "part-00001.parquet").unlink()
    with pytest.raises(DatasetError, match=r"part-00001\.parquet: the tracks part is missing though the shard is done"):
        close_generation(job, DatasetManifest.read(str(dataset / "dataset.json")))


def test_a_part_of_another_shard_is_named(job: ShardJob, dataset: Path) -> None:
    folder = dataset / "tracks" / "gen-000"
    (folder / "part-00001.parquet").write_bytes((folder / "part-00002.parquet").read_bytes())
    with pytest.raises(
        DatasetError, match=r"part-00001\.parquet: not the tracks part that the done mark of logmel names"
    ):
        close_generation(job, DatasetManifest.read(str(dataset / "dataset.json")))


def test_tracks_that_are_known_are_not_wanted_again(dataset: Path, small_corpus: SmallCorpus) -> None:
    catalog = read_catalog(small_corpus.catalog).table
    assert wanted_tracks(catalog, Dataset.open(str(dataset)), "none", None).num_rows == 0
    assert wanted_tracks(catalog, Dataset.open(str(dataset)), "all", None).num_rows == 0
    assert wanted_tracks(catalog, None, "none", None).num_rows == TRACKS
