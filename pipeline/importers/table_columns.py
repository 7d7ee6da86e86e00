"""Map the columns of a user's tables, and convert their values to the types of a catalog and annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decode.catalog import check_durations
from pipeline.importers.published_files import SIDE_NAMES
from schemas.console.errors import UserError, did_you_mean
from schemas.tables import CATALOG, SPLITS
from schemas.user_files.csv_tables import DELIMITERS
from schemas.user_files.table_files import read_table, row_hint
from schemas.user_files.table_values import without_fractions
from schemas.user_files.text_lines import readable

# Possible targets of a column.
TYPES = {field.name: field.type for field in CATALOG} | {
    "tags": pa.list_(pa.string()),  # or text with a separator between them
    "tag": pa.string(),
    "value": pa.float64(),
}


@dataclasses.dataclass(frozen=True)
class MappedTable:
    """A user's table with its columns renamed to their targets.

    Attributes:
        uri: URI of the table.
        table: Only the mapped columns in their types; `tags` may hold lists.
        further: Unmapped columns under their own names.
    """

    uri: str
    table: pa.Table
    further: pa.Table


def parse_columns(pairs: Sequence[str]) -> dict[str, str]:
    """Arguments such as `track_id=ID` as a dictionary target -> column.

    Raises:
        UserError: an argument has another form, a target is unknown or named twice, or track_id or uri is missing.
    """
    columns: dict[str, str] = {}
    for pair in pairs:
        target, equals, column = pair.partition("=")
        if not equals or not column:
            raise UserError(f"--column {pair}: expected WHAT=COLUMN, such as track_id=ID")
        if target not in TYPES:
            raise UserError(
                f"--column {pair}: unknown {target!r}{did_you_mean(target, TYPES)}; a column can be {', '.join(TYPES)}"
            )
        if target in columns:
            raise UserError(f"--column {pair}: expected {target} once, received {columns[target]} for it before")
        columns[target] = column
    for target in ("track_id", "uri"):
        if target not in columns:
            raise UserError(f"--column: expected {target}=COLUMN among them; name that column")
    return columns


def read_mapped(uris: Sequence[str], columns: Mapping[str, str]) -> list[MappedTable]:
    """Read tables, each of which holds the column of track_id; every other mapped column is in at least one of them.

    Raises:
        UserError: a table cannot be read, a column is missing, or a value has another type than its column.
    """
    tables = [_read(uri, columns) for uri in uris]
    seen = {
        name
        for table in tables
        for name in (*(columns[target] for target in table.table.column_names), *table.further.column_names)
    }
    for target, column in columns.items():
        if not any(target in table.table.column_names for table in tables):
            nearest = did_you_mean(column, sorted(seen)) or f"; there are {', '.join(sorted(seen))}"
            raise UserError(f"--column {target}={column}: no such column in {', '.join(uris)}{nearest}")
    return tables


def _read(uri: str, columns: Mapping[str, str]) -> MappedTable:
    types = {column: TYPES[target] for target, column in columns.items()}
    table = read_table(uri, what="table", required=(), schema=pa.schema(list(types.items())))
    if columns["track_id"] not in table.column_names:
        raise UserError(
            f"{uri}: expected the column {columns['track_id']} (track_id), found {', '.join(map(readable, table.column_names))}"
            f"{did_you_mean(columns['track_id'], table.column_names)}"
        )
    mapped = {
        target: _checked(table[column], target, column, uri)
        for target, column in columns.items()
        if column in table.column_names
    }
    missing = mapped["track_id"].is_null()
    if pc.any(missing).as_py():
        row = pc.index(missing, True).as_py()
        raise UserError(f"{uri}: {row_hint(row, uri)}: {columns['track_id']} is empty; fill it in or remove the row")
    further = [name for name in table.column_names if name not in columns.values()]
    return MappedTable(uri, pa.table(mapped), table.select(further))


def _checked(column: pa.ChunkedArray, target: str, name: str, uri: str) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), None, column)
    if target == "track_id" and uri.lower().endswith(tuple(DELIMITERS)):
        column = without_fractions(column)
    if target == "split":
        return _sides(column, name, uri)
    if target == "value":
        _check_values(column, name, uri)
    if target == "duration":
        check_durations(
            column,
            f"{name} (duration)",
            lambda row, problem: UserError(f"{uri}: {row_hint(row, uri)}: {problem}"),
        )
    return column


def _sides(column: pa.ChunkedArray, name: str, uri: str) -> pa.ChunkedArray:
    place = pc.index_in(pc.utf8_lower(pc.utf8_trim_whitespace(column)), value_set=pa.array(list(SIDE_NAMES)))
    wrong = pc.and_(pc.is_null(place), pc.is_valid(column))
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UserError(
            f"{uri}: {row_hint(row, uri)}: {name} (split): expected {', '.join(SPLITS)} or nothing, received "
            f"{column[row].as_py()!r}"
        )
    return pa.array(list(SIDE_NAMES.values())).take(place)


def _check_values(column: pa.ChunkedArray, name: str, uri: str) -> None:
    inside = pc.and_(pc.greater_equal(column, 0.0), pc.less_equal(column, 1.0))
    wrong = pc.invert(pc.fill_null(inside, True))
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UserError(
            f"{uri}: {row_hint(row, uri)}: {name} (value): expected 0 to 1 or nothing (unknown), received "
            f"{column[row].as_py():g}"
        )
