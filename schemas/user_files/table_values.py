"""Convert a user's column to the type of a field; an error for an invalid value names its row.

A text field accepts integers and whole floats, since pandas turns integer ids into floats if one is missing. NaN counts as a
missing value, and so does empty text. A list field accepts text too, which its reader splits.
"""

from __future__ import annotations

import decimal
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.user_files.text_lines import is_encodable, readable

ErrorAt = Callable[[int, str], UserError]
"""Creates the error for a row (from 0) from a problem such as `track_id: expected text, received true`."""

_EXACT = 2**53  # above this a float64 cannot distinguish an integer from the next
_SHOWN = 60  # letters of a value that an error shows


def as_field(column: pa.ChunkedArray, field: pa.Field, error_at: ErrorAt) -> pa.ChunkedArray:
    """Convert a column to the type of a field.

    Args:
        column: Column of any type.
        field: Field of text, float64, an integer type, or lists of text.
        error_at: Creates the error for a row.

    Raises:
        UserError: a value is invalid for the field, or is empty although the field is not nullable.
    """
    if pa.types.is_list(field.type):
        column = _lists(column, field, error_at) if _is_list(column.type) else _texts(column, field, error_at)
    elif pa.types.is_string(field.type):
        column = _texts(column, field, error_at)
    else:
        column = _numbers(column, field, error_at)
    if not field.nullable and column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise error_at(row, f"{field.name} is empty; fill it in or remove the row")
    return column


def check_text(column: pa.ChunkedArray, name: str, error_at: ErrorAt) -> None:
    """Raise UserError if any text of a column, including lists and dictionaries, is not UTF-8."""
    try:
        column.validate(full=True)
    except pa.ArrowException:
        row = 0
        for chunk in column.chunks:
            for value in chunk:
                try:
                    value.as_py()
                except UnicodeDecodeError as error:
                    raise error_at(
                        row,
                        f"{readable(name)}: expected UTF-8 text, received {error.object[:_SHOWN]!r}; save the table in UTF-8",
                    ) from error
                row += 1
        raise


def array_of_json(values: list[Any], name: str, field: pa.Field | None, error_at: ErrorAt) -> pa.Array:
    """Values from JSON as an array that `as_field` accepts; without a field, as an array of their common type.

    Raises:
        UserError: a value is invalid for the field, or text has half of a surrogate pair.
    """
    if field is None:
        return _of_any_type(values, name, error_at)
    if pa.types.is_list(field.type) and any(isinstance(value, list) for value in values):
        return _json_lists(values, name, error_at)
    convert = _json_number if pa.types.is_floating(field.type) else _json_text
    kind = pa.float64() if pa.types.is_floating(field.type) else pa.string()
    try:
        if bool in set(map(type, values)):  # to Arrow true is 1
            raise TypeError
        return pa.array(values, kind)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError):
        return pa.array([convert(value, name, row, error_at) for row, value in enumerate(values)], kind)


# --- text -----------------------------------------------------------------------------------------------------------
def _texts(column: pa.ChunkedArray, field: pa.Field, error_at: ErrorAt) -> pa.ChunkedArray:
    """A column as text, with empty text as null; raises UserError for a NUL."""
    if pa.types.is_dictionary(column.type):
        check_text(column, field.name, error_at)
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = _whole_numbers(column, field, error_at)
    elif isinstance(kind, pa.UuidType):
        column = pa.chunked_array(
            [pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string())]
        )
    elif _is_text(kind):
        check_text(column, field.name, error_at)
        column = column.cast(pa.string())
    elif _is_binary(kind):
        column = _cast(column, field, pa.string(), "UTF-8 text", error_at)
    elif pa.types.is_integer(kind) or pa.types.is_date(kind) or pa.types.is_null(kind):
        column = column.cast(pa.string())
    elif len(column) and column.null_count < len(column):
        row = pc.index(pc.is_valid(column), True).as_py()
        raise error_at(row, f"{field.name}: expected text, received {_shown(column[row].as_py())} ({kind})")
    else:
        column = pa.chunked_array([pa.nulls(len(column), pa.string())])
    nul = pc.match_substring(column, "\0")
    if pc.any(nul).as_py():
        row = pc.index(nul, True).as_py()
        raise error_at(
            row, f"{field.name}: expected text, received a NUL letter in {_shown(column[row].as_py())}; remove it"
        )
    return pc.if_else(pc.equal(column, ""), None, column)


def _whole_numbers(column: pa.ChunkedArray, field: pa.Field, error_at: ErrorAt) -> pa.ChunkedArray:
    """Whole floats and decimals as text; NaN as null."""
    texts: list[str | None] = []
    for row, value in enumerate(column.to_pylist()):
        texts.append(_json_text(value, field.name, row, error_at))
    return pa.chunked_array([pa.array(texts, pa.string())])


def _json_text(value: Any, name: str, row: int, error_at: ErrorAt) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if not is_encodable(value):
            raise error_at(
                row,
                f"{readable(name)}: expected text, received half of a surrogate pair in {value[:_SHOWN]!a}; remove it",
            )
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, decimal.Decimal) and value == value.to_integral_value():
        return str(int(value))
    if isinstance(value, float | decimal.Decimal):
        if value != value:
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
            return str(int(value))
        raise error_at(row, f"{name}: expected text or a whole number below 2^53, received {value}; write it as text")
    raise error_at(row, f"{name}: expected text, received {_shown(value)}")


# --- lists ----------------------------------------------------------------------------------------------------------
def _lists(column: pa.ChunkedArray, field: pa.Field, error_at: ErrorAt) -> pa.ChunkedArray:
    """A column of lists as lists of text."""
    check_text(column, field.name, error_at)
    lists = column.cast(pa.large_list(column.type.value_type)).combine_chunks()
    rows = pc.list_parent_indices(lists)
    items = pa.chunked_array([lists.flatten()])
    items = _texts(items, field, lambda item, problem: error_at(rows[item].as_py(), problem))
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths.to_numpy())]).astype(np.int32)
    return pa.chunked_array([pa.ListArray.from_arrays(offsets, items.combine_chunks())])


def _json_lists(values: list[Any], name: str, error_at: ErrorAt) -> pa.Array:
    lists: list[list[str | None] | None] = []
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, list):
            raise error_at(row, f"{name}: expected a list as in other rows, received {_shown(value)}")
        lists.append(None if value is None else [_json_text(item, name, row, error_at) for item in value])
    return pa.array(lists, pa.list_(pa.string()))


# --- numbers --------------------------------------------------------------------------------------------------------
def _numbers(column: pa.ChunkedArray, field: pa.Field, error_at: ErrorAt) -> pa.ChunkedArray:
    """A column as numbers; NaN as null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_text(column.type):
        check_text(column, field.name, error_at)
        column = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
        column = pc.if_else(pc.equal(column, ""), None, column)
    elif column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), field.type)])
    elif not (
        pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    ):
        row = pc.index(pc.is_valid(column), True).as_py()
        raise error_at(row, f"{field.name}: expected a number, received {_shown(column[row].as_py())} ({column.type})")
    column = _cast(column, field, field.type, "a number", error_at)
    return pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(field.type) else column


def _json_number(value: Any, name: str, row: int, error_at: ErrorAt) -> float | None:
    try:
        if isinstance(value, str):  # parsed like text in a CSV
            return float(pa.scalar(value.strip()).cast(pa.float64()).as_py()) if value.strip() else None
        if value is not None and not isinstance(value, bool | list | dict):
            return float(value)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError):
        pass
    if value is None:
        return None
    raise error_at(row, f"{name}: expected a number, received {_shown(value)}")


# --- any ------------------------------------------------------------------------------------------------------------
def _of_any_type(values: list[Any], name: str, error_at: ErrorAt) -> pa.Array:
    """Values of a column without a field: in the type that Arrow infers, or as text if it cannot or they are objects."""
    try:
        array = pa.array(values)
        if not pa.types.is_nested(array.type) or (
            pa.types.is_list(array.type) and not pa.types.is_nested(array.type.value_type)
        ):
            return array
    except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError):
        pass
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pa.array([_json_text(text, name, row, error_at) for row, text in enumerate(texts)], pa.string())


def numbers_or_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text as integers or floats if every value is one; with leading zeros it stays text."""
    if column.null_count == len(column) or pc.any(pc.match_substring_regex(column, r"^[+-]?0\d")).as_py():
        return column
    for kind in (pa.int64(), pa.float64()):
        try:
            return column.cast(kind)
        except pa.ArrowException:
            continue
    return column


def without_fractions(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text ids without the `.0` that pandas appends to every id if one of the column was missing."""
    if column.null_count == len(column) or not pc.all(pc.match_substring_regex(column, r"^[0-9]+\.0$")).as_py():
        return column
    return pc.utf8_slice_codeunits(column, 0, -2)


def _cast(
    column: pa.ChunkedArray, field: pa.Field, kind: pa.DataType, expected: str, error_at: ErrorAt
) -> pa.ChunkedArray:
    def fails(part: pa.ChunkedArray) -> bool:
        try:
            part.cast(kind)
        except pa.ArrowException:
            return True
        return False

    try:
        return column.cast(kind)
    except pa.ArrowException as error:
        row = _first_row(column, fails)
        raise error_at(row, f"{field.name}: expected {expected}, received {_shown(column[row].as_py())}") from error


def _first_row(column: pa.ChunkedArray, fails: Callable[[pa.ChunkedArray], bool]) -> int:
    """The first row such that `fails` is true for the rows up to it."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if fails(column.slice(low, middle - low)):
            high = middle
        else:
            low = middle
    return low


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
