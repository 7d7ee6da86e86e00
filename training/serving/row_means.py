"""Means over time, so that a picture of a track of any length takes the same memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class RowMeans:
    """Averages neighbouring rows, which arrive in order, into a limited number of columns of a picture.

    Args:
        rows: how many rows there will be.
        width: values of a row.
        most: columns of the picture at most; fewer rows are kept as they are.

    Attributes:
        firsts: int64 [columns], the first row of each column.
    """

    def __init__(self, rows: int, width: int, most: int) -> None:
        self._rows, self._columns = rows, min(rows, most)
        self._sums = np.zeros((self._columns, width))
        self._seen = 0
        self.firsts: npt.NDArray[np.int64] = -(-np.arange(self._columns, dtype=np.int64) * rows // self._columns)

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """Take the next rows, float32 [any number, width]."""
        columns = np.arange(self._seen, self._seen + len(rows), dtype=np.int64) * self._columns // self._rows
        np.add.at(self._sums, columns, rows)
        self._seen += len(rows)

    def means(self) -> npt.NDArray[np.float64]:
        """Float64 [columns, width], once all rows have arrived."""
        counts = np.diff(self.firsts, append=self._rows)
        means: npt.NDArray[np.float64] = self._sums / counts[:, np.newaxis]
        return means

    def mean(self) -> npt.NDArray[np.float64]:
        """Float64 [width], the mean over all rows."""
        mean: npt.NDArray[np.float64] = self._sums.sum(axis=0) / self._rows
        return mean
