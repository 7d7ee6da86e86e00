"""Read the user's tables: CSV, TSV, JSON Lines or Parquet; one file, or a folder or glob of Parquet files."""

from __future__ import annotations

import collections
import glob
import hashlib
import itertools
import os
import posixpath
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet

from schemas.console.errors import UserError
from schemas.storage.files import (
    exists,
    is_folder,
    is_remote,
    join,
    list_names,
    local_path,
    matching,
    open_read,
    parent,
    read_bytes,
    sha256_of,
)
from schemas.storage.store_client import StoreError
from schemas.user_files.csv_tables import DELIMITERS, csv_records, parse_csv
from schemas.user_files.json_tables import json_lines, parse_json_lines
from schemas.user_files.table_values import as_field, check_text, numbers_or_text, without_fractions
from schemas.user_files.text_lines import readable, text_of, utf8_of

_JSON_ENDINGS = (".jsonl", ".json", ".ndjson")
_ENDINGS = ".csv, .tsv, .jsonl (or .json, .ndjson) or .parquet"


def read_table(uri: str, *, what: str, required: Sequence[str], schema: pa.Schema) -> pa.Table:
    """A user's table with its known columns cast to `schema` and further columns kept unchanged.

    All text in the table is UTF-8. A list field is returned as lists, or as text if the table has text.

    Args:
        uri: A file, whose extension determines its format, or a folder or glob of Parquet files.
        what: `catalog` or `annotations`, for the errors.
        required: Columns that must be present.
        schema: Types of the known columns.

    Raises:
        UserError: the file does not exist or contradicts its extension, a column is missing, a value has another type, text
            is not UTF-8, there are no rows, or a required value is empty.
    """
    try:
        tables = [_read_file(file, what, required, schema) for file in _files(uri, what)]
        table = pa.concat_tables(tables, promote_options="default")
    except StoreError:
        raise  # the store is at fault, not the user
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last one for the name of a column
        raise UserError(f"{what} {uri}: cannot be read: {_one_line(error)}") from error
    if table.num_rows == 0:
        raise UserError(f"{what} {uri}: expected at least one row, found none")
    return table


def row_hint(row: int, uri: str) -> str:
    """The position of row `row` (from 0) as a person counts: the line of a text file, else the row from 1."""
    ending = _ending(uri)
    if not _is_read_once(uri) and exists(uri) and not is_folder(uri):
        if ending in DELIMITERS:
            # Blank lines are skipped and quoted cells may hold line breaks, so the file has to be parsed.
            records = csv_records(utf8_of(read_bytes(uri), uri), DELIMITERS[ending])
            return f"line {_nth((line for line, _ in records), row + 1)}"
        if ending in _JSON_ENDINGS:
            return f"line {_nth((line for line, _ in json_lines(text_of(read_bytes(uri), uri))), row)}"
    elif not _is_read_once(uri):
        for file in _files(uri, "table"):
            with open_read(file) as opened:
                rows = pyarrow.parquet.read_metadata(opened).num_rows if _ending(file) == ".parquet" else row + 1
            if row < rows:
                return f"row {row + 1} of {posixpath.basename(file)}"
            row -= rows
    return f"row {row + 1}"


def folder_of(uri: str) -> str:
    """The folder to which relative uris in a catalog refer; a catalog of several files is a folder itself."""
    return parent(join(uri, "part") if is_folder(uri) else uri)


def table_sha256(uri: str) -> str:
    """SHA-256 of a table's file, hex; for a folder or glob, the SHA-256 of its files' hashes in order.

    Raises:
        UserError: the file is a pipe, which has already been read and would block.
    """
    if _is_read_once(uri):
        raise UserError(f"{uri}: expected a file, found a pipe, which can be read but once; save it as a file first")
    files = _files(uri, "table")
    if files == [uri]:
        return sha256_of(uri)
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()


def _is_read_once(uri: str) -> bool:
    """True for a pipe, a terminal or similar: opened again, it yields nothing, or blocks forever."""
    return not is_remote(uri) and exists(uri) and not (os.path.isfile(local_path(uri)) or is_folder(uri))


def _files(uri: str, what: str) -> list[str]:
    if is_folder(uri):
        found = [join(uri, name) for name in list_names(uri) if name.endswith(".parquet")]
    elif exists(uri):
        return [uri]  # even if its name contains glob characters
    elif any(sign in uri for sign in "*?["):
        folder = parent(uri)
        is_literal = not is_remote(uri) and is_folder(folder)
        found = matching(join(glob.escape(folder), posixpath.basename(local_path(uri))) if is_literal else uri)
    else:
        raise UserError(f"{what} {uri}: no such file; check the path")
    if not found:
        raise UserError(f"{what} {uri}: expected Parquet files there, found none")
    return found


def _read_file(uri: str, what: str, required: Sequence[str], schema: pa.Schema) -> pa.Table:
    """The table of one file with its known columns cast."""
    where, ending = f"{what} {uri}", _ending(uri)

    def error_at(row: int, problem: str) -> UserError:
        return UserError(f"{where}: {row_hint(row, uri)}: {problem}")

    if ending in DELIMITERS:
        table = parse_csv(utf8_of(read_bytes(uri), where), DELIMITERS[ending], where, schema.names)
    elif ending in _JSON_ENDINGS:
        table = parse_json_lines(text_of(read_bytes(uri), where), where, schema, error_at)
    elif ending == ".parquet":
        with open_read(uri) as file:
            table = pyarrow.parquet.read_table(file)
    else:
        raise UserError(f"{uri}: expected a table ending in {_ENDINGS}, received the ending {ending or 'of none'!r}")
    _check_columns(table, where, required)
    for position, name in enumerate(table.column_names):
        column, known = table.column(position), schema.get_field_index(name)
        if known >= 0:
            column = as_field(column, schema.field(known), error_at)
            if ending in DELIMITERS and name == "track_id":
                column = without_fractions(column)
        elif ending in DELIMITERS:
            column = numbers_or_text(column)
        elif ending == ".parquet":
            check_text(column, name, error_at)
        table = table.set_column(position, name, column)
    return table


def _check_columns(table: pa.Table, where: str, required: Sequence[str]) -> None:
    name, count = collections.Counter(table.column_names).most_common(1)[0] if table.column_names else ("", 0)
    if count > 1:
        raise UserError(f"{where}: expected each column once, found {readable(name)} twice; rename or remove one")
    missing = [name for name in required if name not in table.column_names]
    if missing and (table.column_names or table.num_rows):
        raise UserError(
            f"{where}: expected the column{'s' * (len(missing) > 1)} {' and '.join(missing)}, found "
            f"{', '.join(map(readable, table.column_names))}; rename or add {'them' if missing[1:] else 'it'}"
        )


def _nth(lines: Iterator[int], place: int) -> int:
    return next(itertools.islice(lines, place, None))


def _ending(uri: str) -> str:
    return os.path.splitext(uri)[1].lower()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
