from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.importers.label_matrix import matrix_annotations
from pipeline.importers.tag_lists import TagList
from schemas.console.errors import UserError

TAGS = TagList("tags.txt", ("a", "b", "c"))


def test_a_long_matrix_keeps_its_rows_with_their_tracks() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.random((150_000, 3)) < 0.2
    tracks = pa.array(np.arange(len(matrix))).cast(pa.string())
    rows = matrix_annotations(matrix, "y.npy", tracks, "ids.txt", TAGS)
    found = np.zeros_like(matrix)
    found[rows["track_id"].cast(pa.int64()).to_numpy(), [TAGS.tags.index(tag) for tag in rows["tag"].to_pylist()]] = (
        True
    )
    assert (found == matrix).all()
    assert rows.num_rows == matrix.sum()


@pytest.mark.parametrize("value", [1.5, -1, np.nan])
def test_a_value_that_is_no_label_is_refused_with_its_place(value: float) -> None:
    matrix = np.zeros((70_000, 3))
    matrix[66_000, 2] = value
    with pytest.raises(UserError, match="y.npy: row 66,001, column 3: expected a label from 0 to 1"):
        matrix_annotations(matrix, "y.npy", pa.array(["x"] * len(matrix)), "ids.txt", TAGS)
