"""Closing a generation: its parts are the ones that the done marks name, and its counts reconcile."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.decode.catalog import read_catalog
from pipeline.decode.generations import close_generation, wanted_tracks
from pipeline.decode.shards import ShardJob
from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.plan_file import plan_bytes
from tests.conftest import TRACKS, SmallCorpus


@pytest.fixture
def job(dataset: Path, small_corpus: SmallCorpus) -> ShardJob:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    return ShardJob(str(dataset), 0, manifest.families, str(small_corpus.folder))


def test_closing_again_gives_the_same_entry_and_bytes(job: ShardJob, dataset: Path) -> None:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    before = (dataset / "tracks" / "gen-000.parquet").read_bytes()
    entry, table = close_generation(job, manifest.generations[0])
    assert entry == manifest.generations[0]
    assert table.num_rows == TRACKS
    assert (dataset / "tracks" / "gen-000.parquet").read_bytes() == before


def test_a_missing_part_is_named(job: ShardJob, dataset: Path) -> None:
    (dataset / "tracks" / "gen-000" / "part-00001.parquet").unlink()
    with pytest.raises(DatasetError, match=r"part-00001\.parquet: the tracks part is missing though the shard is done"):
        close_generation(job, Dataset.open(str(dataset)).manifest.generations[0])


def test_a_part_of_another_shard_is_named(job: ShardJob, dataset: Path) -> None:
    folder = dataset / "tracks" / "gen-000"
    (folder / "part-00001.parquet").write_bytes((folder / "part-00002.parquet").read_bytes())
    with pytest.raises(
        DatasetError, match=r"part-00001\.parquet: not the tracks part that the done mark of logmel names"
    ):
        close_generation(job, Dataset.open(str(dataset)).manifest.generations[0])


def test_parts_of_other_tracks_than_the_plans_are_named(job: ShardJob, dataset: Path) -> None:
    plan = dataset / "plan" / "gen-000.parquet"
    rows = pq.read_table(plan)
    ids = ["another", *rows["track_id"].to_pylist()[1:]]
    plan.write_bytes(plan_bytes(rows.set_column(1, rows.schema.field("track_id"), pa.array(ids)), {}))
    with pytest.raises(DatasetError, match="the 24 tracks that were planned are not the 24 that have a row"):
        close_generation(job, Dataset.open(str(dataset)).manifest.generations[0])


def test_tracks_that_are_known_are_not_wanted_again(dataset: Path, small_corpus: SmallCorpus) -> None:
    catalog = read_catalog(small_corpus.catalog).table
    opened = Dataset.open(str(dataset))
    assert wanted_tracks(catalog, opened, "none", None).num_rows == 0
    assert wanted_tracks(catalog, opened, "all", None).num_rows == 0
    nothing = Dataset(opened.layout, dataclasses.replace(opened.manifest, generations=()))
    assert wanted_tracks(catalog, nothing, "none", None).num_rows == TRACKS
