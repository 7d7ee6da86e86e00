"""Rows are averaged into columns in whatever blocks they arrive."""

from __future__ import annotations

import numpy as np
import pytest

from training.serving.row_means import RowMeans


@pytest.mark.parametrize("rows", [1, 7, 10, 11, 23, 1000])
@pytest.mark.parametrize("block", [1, 3, 256])
def test_a_column_is_the_mean_of_its_rows(rows: int, block: int) -> None:
    values = np.random.default_rng(rows).random((rows, 3), np.float32)
    means = RowMeans(rows, 3, 10)
    for start in range(0, rows, block):
        means.add(values[start : start + block])
    parts = np.split(values.astype(np.float64), means.firsts[1:])
    assert len(parts) == min(rows, 10)
    assert np.ptp([len(part) for part in parts]) <= 1
    np.testing.assert_allclose(means.means(), [part.mean(axis=0) for part in parts])
    np.testing.assert_allclose(means.mean(), values.mean(axis=0, dtype=np.float64))
