"""Tables that the user brings: CSV, TSV, JSON Lines or Parquet, one file, a folder or a glob of Parquet files."""

from __future__ import annotations

import collections
import csv
import hashlib
import io
import os
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from schemas.errors import UserError
from schemas.storage import exists, is_folder, is_remote, join, list_names, local_path, matching, open_read, sha256_of
from schemas.store_client import StoreError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_ENDINGS = ".csv, .tsv, .jsonl (or .json, .ndjson) or .parquet"


def read_table(uri: str, *, what: str, required: Sequence[str], schema: pa.Schema) -> pa.Table:
    """A user's table with its known columns cast to `schema`; further columns are carried along as they are.

    Args:
        uri: a file told by its ending, or a folder or glob of Parquet files.
        what: `catalog`, `annotations`, for the errors.
        required: columns that must be there.
        schema: types of the known columns.

    Raises:
        UserError: no such file, another format than its ending says, a column missing, a value of another type,
            no rows, or an empty value in a column that must not be empty.
    """
    try:
        files = _files(uri, what)
        tables = [_read_file(file, schema) for file in files]
        for file, table in zip(files, tables, strict=True):
            _check_columns_once(table, what, file)
        table = pa.concat_tables(tables, promote_options="default")
    except StoreError:
        raise  # the store's fault and not the user's
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{what} {uri}: cannot be read: {_one_line(error)}") from error
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise UserError(
            f"{what} {uri}: expected the column{'s' * (len(missing) > 1)} {' and '.join(missing)}, "
            f"found {', '.join(table.column_names) or 'no columns'}; rename or add {'them' if missing[1:] else 'it'}"
        )
    if table.num_rows == 0:
        raise UserError(f"{what} {uri}: expected at least one row, found none")
    for field in schema:
        if field.name in table.column_names:
            table = _cast(table, field, what, uri)
    return table


def row_hint(row: int, uri: str) -> str:
    """Where row `row` (from 0) of a table stands, as a person counts: the line of a CSV, else the row."""
    delimiter = _DELIMITERS.get(os.path.splitext(uri)[1].lower())
    if delimiter is None or _is_read_once(uri):
        return f"row {row + 1}"
    # Blank lines are no rows, and a quoted cell may hold line breaks: only reading tells.
    with io.TextIOWrapper(open_read(uri), encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter=delimiter)
        begun = 1
        for cells in lines:
            if cells:
                row -= 1
                if row < -1:
                    break
            begun = lines.line_num + 1
    return f"line {begun}"


def table_sha256(uri: str) -> str:
    """SHA-256 of a table's file, hex; of a folder or glob that of its files' own, in order.

    Raises:
        UserError: a pipe, which was read already and would be waited for in vain.
    """
    if _is_read_once(uri):
        raise UserError(f"{uri}: expected a file, found a pipe, which can be read but once; save it as a file first")
    files = _files(uri, "table")
    if files == [uri]:
        return sha256_of(uri)
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()


def _is_read_once(uri: str) -> bool:
    """True for a pipe, a terminal and the like: opened again, it gives nothing, or waits for ever."""
    return not is_remote(uri) and exists(uri) and not (os.path.isfile(local_path(uri)) or is_folder(uri))


def _files(uri: str, what: str) -> list[str]:
    if any(sign in uri for sign in "*?["):
        found = matching(uri)
    elif is_folder(uri):
        found = [join(uri, name) for name in list_names(uri) if name.endswith(".parquet")]
    elif exists(uri):
        return [uri]
    else:
        raise UserError(f"{what} {uri}: no such file; check the path")
    if not found:
        raise UserError(f"{what} {uri}: expected Parquet files there, found none")
    return found


def _read_file(uri: str, schema: pa.Schema) -> pa.Table:
    ending = os.path.splitext(uri)[1].lower()
    with open_read(uri) as file:
        if ending in _DELIMITERS:
            # Strings where the schema has strings: a track_id of digits stays as it is written.
            return pyarrow.csv.read_csv(
                file,
                parse_options=pyarrow.csv.ParseOptions(delimiter=_DELIMITERS[ending], newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={field.name: field.type for field in schema},
                    strings_can_be_null=True,
                    # Only an empty cell is null: an artist may be called NA.
                    null_values=[""],
                    quoted_strings_can_be_null=True,
                ),
            )
        if ending in (".jsonl", ".json", ".ndjson"):
            table = pyarrow.json.read_json(
                file,
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=pa.schema([field.with_nullable(True) for field in schema]),
                    unexpected_field_behavior="infer",
                ),
            )
            empty = [name for name in table.column_names if table[name].null_count == table.num_rows]
            if not empty:
                return table
            # A field of the schema that no line names comes out as a column of nulls: it is not there at all.
            file.seek(0)
            named = pyarrow.json.read_json(file).column_names
            return table.drop_columns([name for name in empty if name not in named])
        if ending == ".parquet":
            return pyarrow.parquet.read_table(file)
    raise UserError(f"{uri}: expected a table ending in {_ENDINGS}, received the ending {ending or 'of none'!r}")


def _check_columns_once(table: pa.Table, what: str, uri: str) -> None:
    name, count = collections.Counter(table.column_names).most_common(1)[0] if table.column_names else ("", 0)
    if count > 1:
        raise UserError(f"{what} {uri}: expected each column once, found {name} twice; rename or remove one")


def _cast(table: pa.Table, field: pa.Field, what: str, uri: str) -> pa.Table:
    position = table.column_names.index(field.name)
    column = table.column(position)
    try:
        column = column.cast(field.type)
    except pa.ArrowException as error:
        raise UserError(
            f"{what} {uri}: column {field.name}: expected {field.type}, received {column.type}: {_one_line(error)}"
        ) from error
    if not field.nullable and column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise UserError(f"{what} {uri}: {row_hint(row, uri)}: {field.name} is empty; fill it in or remove the row")
    return table.set_column(position, pa.field(field.name, field.type), column)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
