"""The user's catalog: one row per track, checked before anything is decoded."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.storage.files import is_folder, is_remote
from schemas.tables import CATALOG, CATALOG_REQUIRED, SPLITS
from schemas.user_files.table_files import folder_of, read_table, row_hint
from schemas.user_files.table_values import ErrorAt

MOST_SECONDS = 1e9  # longest duration of a track: 30 years, which leaves room for values in milliseconds


@dataclasses.dataclass(frozen=True)
class Catalog:
    """A checked catalog.

    Attributes:
        uri: URI from which it was read.
        table: At least the columns of `schemas.tables.CATALOG`, in the file's order.
        root: Folder to which relative URIs refer.
    """

    uri: str
    table: pa.Table
    root: str


def read_catalog(uri: str, limit: int | None = None) -> Catalog:
    """Read and check a catalog.

    Args:
        uri: CSV, JSON Lines or Parquet file; a folder or glob of Parquet files.
        limit: Number of first rows to keep; None for all.

    Raises:
        UserError: the catalog is unreadable, has no rows or lacks track_id or uri, or has an empty or duplicate track_id,
            an empty uri, a split other than train, validation and test, or an invalid duration.
    """
    table = read_table(uri, what="catalog", required=CATALOG_REQUIRED, schema=CATALOG)
    for field in CATALOG:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    if limit is not None:
        table = table.slice(0, limit)
    _check_not_blank(table, uri)
    _check_unique(table, uri)
    _check_splits(table, uri)
    check_durations(
        table["duration"], "duration", lambda row, problem: UserError(f"catalog {uri}: {row_hint(row, uri)}: {problem}")
    )
    root = folder_of(uri)
    if not is_remote(root) and any(sign in root for sign in "*?[") and not is_folder(root):
        raise UserError(f"catalog {uri}: a glob in the folder's name leaves relative uris without a folder")
    return Catalog(uri=uri, table=table.combine_chunks(), root=root)


def check_durations(seconds: pa.ChunkedArray, name: str, error_at: ErrorAt) -> None:
    """Raise UserError if a duration is below 0, infinite, or longer than any track; null means unknown.

    Args:
        seconds: Durations in seconds, float64.
        name: Name of the column, for the error.
        error_at: Creates the error for a row.
    """
    inside = pc.and_(pc.greater_equal(seconds, 0.0), pc.less_equal(seconds, MOST_SECONDS))
    wrong = pc.invert(pc.fill_null(inside, True))
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise error_at(
            row,
            f"{name}: expected seconds from 0 to {MOST_SECONDS:,.0f} or nothing (unknown), received "
            f"{seconds[row].as_py():g}",
        )


def _check_not_blank(table: pa.Table, uri: str) -> None:
    for name in CATALOG_REQUIRED:
        blank = pc.equal(pc.utf8_trim_whitespace(table[name]), "")
        if pc.any(blank).as_py():
            row = pc.index(blank, True).as_py()
            raise UserError(f"catalog {uri}: {row_hint(row, uri)}: {name} is empty; fill it in or remove the row")


def _check_unique(table: pa.Table, uri: str) -> None:
    ids = table["track_id"].combine_chunks()
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(repeated) == 0:
        return
    first = min(repeated.to_pylist())
    rows = [row for row, same in enumerate(pc.equal(ids, first).to_pylist()) if same][:2]
    raise UserError(
        f"catalog {uri}: expected every track_id once, but {len(repeated)} occur{'s' * (len(repeated) == 1)} more "
        f"often, such as {first!r} ({row_hint(rows[0], uri)} and {row_hint(rows[1], uri)}); remove the "
        "duplicates"
    )


def _check_splits(table: pa.Table, uri: str) -> None:
    splits = table["split"]
    wrong = pc.invert(pc.is_in(splits, value_set=pa.array([*SPLITS, None], pa.string())))
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UserError(
            f"catalog {uri}: {row_hint(row, uri)}: split: expected {', '.join(SPLITS)} or nothing, received "
            f"{splits[row].as_py()!r}"
        )
