"""Read JSON Lines as a table, with one row for each line that is not blank."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from schemas.console.errors import UserError
from schemas.user_files.table_values import ErrorAt, array_of_json
from schemas.user_files.text_lines import each_line, is_encodable, readable

_ROWS = 1 << 16  # rows after which values are converted to Arrow, since Python objects take many times the memory
_SHOWN = 60  # letters of a line that an error shows


def parse_json_lines(text: str, where: str, schema: pa.Schema, error_at: ErrorAt) -> pa.Table:
    """A table with a column for each field of any line, in order of appearance; null where a line lacks the field.

    Args:
        text: Text of the file.
        where: Kind and name of the file, for the errors.
        schema: Fields whose values `as_field` will convert.
        error_at: Creates the error for a row.

    Raises:
        UserError: a line is not a JSON object, names a field twice, or has an invalid value for a field of the schema.
    """
    known = {field.name: field for field in schema}
    columns: dict[str, _Column] = {}
    row = 0
    for number, line in json_lines(text):
        for name, value in _fields_of(line, number, where).items():
            column = columns.get(name)
            if column is None:
                if not is_encodable(name):
                    raise UserError(
                        f"{where}: line {number}: expected text as the name of a field, received half of a surrogate pair in "
                        f"{name[:_SHOWN]!a}; remove it"
                    )
                column = columns[name] = _Column(name, known.get(name), error_at)
            column.add(row, value)
        row += 1
    return pa.table({name: column.whole(row) for name, column in columns.items()})


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """The non-blank lines, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(each_line(text), 1) if line.strip())


class _Column:
    """Collects a field's values; those of a known field are converted to Arrow once there are many."""

    def __init__(self, name: str, field: pa.Field | None, error_at: ErrorAt) -> None:
        self._name, self._field, self._error_at = name, field, error_at
        self._values: list[Any] = []
        self._chunks: list[pa.Array] = []
        self._rows = 0  # rows in the chunks

    def add(self, row: int, value: Any) -> None:
        missing = row - self._rows - len(self._values)
        if missing:
            self._values.extend([None] * missing)
        self._values.append(value)
        if self._field is not None and len(self._values) >= _ROWS:
            self._convert()

    def whole(self, rows: int) -> pa.ChunkedArray:
        self._values.extend([None] * (rows - self._rows - len(self._values)))
        self._convert()
        kind = next((chunk.type for chunk in self._chunks if pa.types.is_list(chunk.type)), self._chunks[0].type)
        first = 0
        for place, chunk in enumerate(self._chunks):
            if chunk.type != kind:  # text in one part of the file and lists in another
                if chunk.null_count < len(chunk):
                    row = first + chunk.is_valid().index(True).as_py()
                    raise self._error_at(row, f"{self._name}: expected a list as in other rows, received text")
                self._chunks[place] = pa.nulls(len(chunk), kind)
            first += len(chunk)
        return pa.chunked_array(self._chunks, kind)

    def _convert(self) -> None:
        before = self._rows
        self._chunks.append(
            array_of_json(
                self._values, self._name, self._field, lambda row, problem: self._error_at(before + row, problem)
            )
        )
        self._rows += len(self._values)
        self._values = []


def _fields_of(line: str, number: int, where: str) -> dict[str, Any]:
    try:
        fields = _DECODER.decode(line)
    except _TwiceError as error:
        raise UserError(
            f"{where}: line {number}: expected each field once, found {readable(str(error))} twice; remove one"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{where}: line {number}: cannot be read: expected a JSON object on each line, received "
            f"{_shown(line)}{_problem(error)}; write one object a line (JSON Lines)"
        ) from error
    if not isinstance(fields, dict):
        raise UserError(
            f"{where}: line {number}: expected a JSON object on each line, received {_shown(line)}; write one object a "
            "line (JSON Lines)"
        )
    return fields


class _TwiceError(Exception):
    """An object names a field twice."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_each_once)


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" ({error.msg} at letter {error.pos + 1})"
    return " (nested too deep)" if isinstance(error, RecursionError) else " (a number of too many digits)"


def _shown(line: str) -> str:
    return repr(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…")
