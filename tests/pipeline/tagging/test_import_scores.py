"""Scores become graded annotations, which a label set lays over a dataset."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.importers.scores import import_scores
from pipeline.labels.overlay import lay_labels
from pipeline.removal.tagged import take_out
from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from tests.pipeline.tagging.conftest import TAGS
from tests.warm_commands import run_warm


def _expected(tags: Path) -> list[tuple[str, str, float]]:
    """The scores as DuckDB reads them, a row for each tag."""
    columns = ", ".join(f"scores[{number}]::DOUBLE" for number in range(1, len(TAGS) + 1))
    rows = duckdb.sql(f"SELECT track_id, {columns} FROM '{tags}/scores/*/*.parquet'").fetchall()
    return sorted((track, tag, value) for track, *values in rows for tag, value in zip(TAGS, values, strict=True))


def test_every_score_becomes_an_annotation(tagged: Path, tmp_path: Path) -> None:
    ended = run_warm(
        ["-m", "pipeline.run", "import", "scores", str(tagged), "--out", "heard"], cwd=tmp_path, check=True
    )
    assert "96 graded annotations of 24 tracks" in ended.stdout
    assert "label --dataset DATASET --annotations heard/annotations.parquet" in ended.stdout
    found = pq.read_table(tmp_path / "heard" / "annotations.parquet")
    assert sorted(zip(*(found[name].to_pylist() for name in ("track_id", "tag", "value")), strict=True)) == _expected(
        tagged
    )
    label_set = yaml.safe_load((tmp_path / "heard" / "label_set.yaml").read_text())
    assert label_set == {"name": "scores-4", "tags": list(TAGS), "values": "graded", "unlabelled": "drop"}


def test_a_label_set_lies_over_them(tagged: Path, dataset: Path, tmp_path: Path) -> None:
    import_scores(str(tagged), str(tmp_path / "heard"))
    files = (str(tmp_path / "heard" / name) for name in ("annotations.parquet", "label_set.yaml"))
    summary = lay_labels(str(dataset), *files)
    assert tuple(summary.vocabulary) == TAGS
    labels = open_labels(Dataset.open(str(dataset)), "scores-4").table
    laid = [
        (row["track_id"], TAGS[tag], value)
        for row in labels.to_pylist()
        for tag, value in zip(row["tags"], row["values"], strict=True)
    ]
    assert sorted(laid) == [row for row in _expected(tagged) if row[2] > 0]


def test_removed_tracks_have_no_annotations(tagged: Path, tmp_path: Path) -> None:
    tags = tmp_path / "tags"
    shutil.copytree(tagged, tags)
    gone = _expected(tags)[0][0]
    take_out(str(tags), pa.array([gone]), purge=False)
    assert import_scores(str(tags), str(tmp_path / "heard")).tracks == 23
    left = pq.read_table(tmp_path / "heard" / "annotations.parquet")["track_id"].to_pylist()
    assert set(left) == {row[0] for row in _expected(tags)} - {gone}
    everything = pa.array(sorted({row[0] for row in _expected(tags)}))
    take_out(str(tags), everything, purge=False)
    with pytest.raises(UserError, match="found none that are not removed"):
        import_scores(str(tags), str(tmp_path / "heard"))


def test_damage_and_wrong_places_are_told(tagged: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found no tags\.json"):
        import_scores(str(tmp_path), str(tmp_path / "heard"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder, found a file"):
        import_scores(str(tagged), str(tmp_path / "file"))
    tags = tmp_path / "tags"
    shutil.copytree(tagged, tags)
    scores = next(tags.glob("scores/*/*.parquet"))
    scores.write_bytes(scores.read_bytes()[:-1])
    with pytest.raises(DatasetError, match="its bytes are not those of its done mark"):
        import_scores(str(tags), str(tmp_path / "heard"))
    assert not (tmp_path / "heard" / "annotations.parquet").exists()
