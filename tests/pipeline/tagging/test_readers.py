"""Programs that users have read the scores as this project does."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.pipeline.tagging.conftest import TAGS


@pytest.fixture(scope="module")
def expected(tagged: Path) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Track -> scores, embedding and seconds, as Arrow reads them."""
    tables = [pq.read_table(path) for path in sorted(tagged.glob("scores/gen-000/*.parquet"))]
    return {
        row["track_id"]: (np.array(row["scores"], np.float32), np.array(row["embedding"], np.float32), row["seconds"])
        for table in tables
        for row in table.to_pylist()
    }


def check(rows: list[tuple[object, ...]], expected: dict[str, tuple[np.ndarray, np.ndarray, float]]) -> None:
    assert {row[0] for row in rows} == expected.keys()
    for track, scores, embedding, seconds in rows:
        np.testing.assert_array_equal(np.array(scores, np.float32), expected[str(track)][0])
        np.testing.assert_array_equal(np.array(embedding, np.float32), expected[str(track)][1])
        assert seconds == expected[str(track)][2]


def test_duckdb_reads_a_whole_folder(tagged: Path, expected: dict[str, tuple[np.ndarray, np.ndarray, float]]) -> None:
    files = f"{tagged}/scores/*/*.parquet"
    check(duckdb.sql(f"SELECT track_id, scores, embedding, seconds FROM '{files}'").fetchall(), expected)
    (loud,) = duckdb.sql(f"SELECT count(*) FROM '{files}' WHERE scores[{TAGS.index('noise') + 1}] > 0.5").fetchall()
    assert loud[0] == sum(scores[TAGS.index("noise")] > 0.5 for scores, _, _ in expected.values())


def test_polars_reads_a_whole_folder(tagged: Path, expected: dict[str, tuple[np.ndarray, np.ndarray, float]]) -> None:
    check(pl.read_parquet(f"{tagged}/scores/*/*.parquet").rows(), expected)


def test_pandas_reads_a_whole_folder(tagged: Path, expected: dict[str, tuple[np.ndarray, np.ndarray, float]]) -> None:
    frame = pd.concat(pd.read_parquet(path) for path in sorted(tagged.glob("scores/*/*.parquet")))
    check(list(frame.itertuples(index=False, name=None)), expected)
