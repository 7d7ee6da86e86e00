"""JSON Lines as columns of Python values, a row for each line that is not blank."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from schemas.errors import UserError
from schemas.text_lines import is_encodable, lines_of, readable

_SHOWN = 60  # letters of a line that an error shows


def parse_json_lines(text: str, where: str) -> dict[str, list[Any]]:
    """Columns in the order in which the lines name them; None where a line does not name one.

    Args:
        text: of the file.
        where: what the file is and its name, for the errors.

    Raises:
        UserError: a line is no JSON object, or names a field twice.
    """
    columns: dict[str, list[Any]] = {}
    row = 0
    for number, line in json_lines(text):
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
        for name, value in fields.items():
            column = columns.get(name)
            if column is None:
                if not is_encodable(name):
                    raise UserError(
                        f"{where}: line {number}: expected text as the name of a field, received half of a surrogate pair in "
                        f"{name[:_SHOWN]!a}; remove it"
                    )
                column = columns[name] = []
            if len(column) < row:
                column.extend([None] * (row - len(column)))
            column.append(value)
        row += 1
    for column in columns.values():
        column.extend([None] * (row - len(column)))
    return columns


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their number from 1."""
    return ((number, line) for number, line in enumerate(lines_of(text), 1) if line.strip())


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
