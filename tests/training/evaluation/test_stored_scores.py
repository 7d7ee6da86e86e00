from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.console.errors import DatasetError
from training.evaluation import stored_scores
from training.evaluation.stored_scores import ScoresOf, StoredScores, read_stored_scores

OF = ScoresOf(("drums", "wörld", "a, b"), "mine@0123456789ab", "test", 0.5, "f" * 64)


def _scores(tracks: int = 7) -> StoredScores:
    rng = np.random.default_rng(0)
    targets, scores = (rng.random((tracks, 3)).astype(np.float32) for _ in range(2))
    targets[2, 1] = np.nan
    return StoredScores(OF, tuple(f"träck {number}" for number in range(tracks)), targets, scores)


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_scores, "_NUMBERS_PER_GROUP", 6)  # several row groups
    written, path = _scores(), tmp_path / "evaluation" / "test_scores.parquet"
    written.write(str(path))
    assert pq.ParquetFile(path).num_row_groups == 4
    read = read_stored_scores(str(path))
    assert (read.of, read.track_ids) == (written.of, written.track_ids)
    assert np.array_equal(read.targets, written.targets, equal_nan=True)
    assert np.array_equal(read.scores, written.scores)
    rows = pq.read_table(path).to_pylist()
    assert rows[2]["targets"][1] is None
    assert rows[0]["scores"] == written.scores[0].tolist()


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _scores().write(str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_holds_no_scores_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "test_scores.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DatasetError, match="test_scores.parquet: expected the scores of an evaluation"):
        read_stored_scores(str(path))
    _scores().write(str(path))
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["targets"]), path)
    with pytest.raises(DatasetError, match="its columns are track_id, scores"):
        read_stored_scores(str(path))
    fewer = {**table.schema.metadata, b"tags": b'["drums"]'}
    pq.write_table(table.replace_schema_metadata(fewer), path)
    with pytest.raises(DatasetError, match="expected lists of 1 numbers"):
        read_stored_scores(str(path))
