"""Convert a label matrix with a row per track and a column per tag to one row per label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.importers.tag_lists import TagList
from schemas.console.errors import UserError
from schemas.tables import ANNOTATIONS

_ROWS = 1 << 16  # rows processed at a time, since a mapped matrix may be larger than the memory


def is_label_matrix(array: npt.NDArray[np.generic]) -> bool:
    """True for a matrix of numbers."""
    return array.ndim == 2 and array.dtype.kind in "biuf"


def matrix_annotations(
    matrix: npt.NDArray[np.generic], uri: str, tracks: pa.Array, tracks_uri: str, tags: TagList
) -> pa.Table:
    """The labels above zero of a matrix, schema ANNOTATIONS.

    Args:
        matrix: Numbers from 0 to 1, [tracks, tags].
        uri: URI of the matrix.
        tracks: Track id of each row.
        tracks_uri: URI of the track ids.
        tags: Tag of each column.

    Raises:
        UserError: the lengths differ, or a value lies outside [0, 1].
    """
    if len(tracks) != matrix.shape[0]:
        raise UserError(
            f"{tracks_uri} and {uri}: expected a row for each track, received {len(tracks):,} tracks and "
            f"{matrix.shape[0]:,} rows; give the two that were published together"
        )
    if len(tags.tags) != matrix.shape[1]:
        raise UserError(
            f"{tags.uri} and {uri}: expected a column for each tag, received {len(tags.tags):,} tags and "
            f"{matrix.shape[1]:,} columns; give the two that were published together"
        )
    parts = [_block(matrix[start : start + _ROWS], start, uri) for start in range(0, len(tracks), _ROWS)]
    rows, columns, values = (np.concatenate([part[axis] for part in parts]) for axis in range(3))
    return pa.table(
        {
            "track_id": tracks.take(pa.array(rows)),
            "tag": pa.array(tags.tags, pa.string()).take(pa.array(columns)),
            "value": values,
        },
        schema=ANNOTATIONS,
    )


def _block(
    block: npt.NDArray[np.generic], start: int, uri: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    numbers = np.asarray(block)
    rows, columns = np.nonzero(numbers)  # NaN is not zero
    values = numbers[rows, columns].astype(np.float64)
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(wrong):
        at = wrong[0]
        raise UserError(
            f"{uri}: row {start + rows[at] + 1:,}, column {columns[at] + 1}: expected a label from 0 to 1, received "
            f"{values[at]:g}; download the matrix again"
        )
    return rows + start, columns, values
