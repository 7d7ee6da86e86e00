"""Read the fields of a configuration from a file: typed values from JSON, text that each field parses from YAML."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any, Literal, get_args

from schemas.console.errors import UserError
from schemas.storage.checksums import without_checksum
from schemas.storage.files import read_bytes
from schemas.storage.json_object import without_format
from schemas.user_files.text_lines import text_of
from schemas.user_files.yaml_files import YamlText, boolean, is_nothing, number, read_yaml, shown, whole_number
from training.config import FORMAT, TrainConfig


@dataclasses.dataclass(frozen=True)
class FileFields:
    """The fields of a file.

    Attributes:
        words: kind and name of the file, for errors.
        values: name of each field -> its value; one that cannot be parsed is the text itself, which the field refuses.
        lines: name -> "line N: ", where the file has lines.
    """

    words: str
    values: dict[str, Any]
    lines: dict[str, str]


def read_fields(file: str, kind: Literal["config", "recipe"], name: str) -> FileFields:
    """Read a file of fields.

    Args:
        file: YAML, or the config.json of a run.
        kind: what it is, which is also the option that names it.
        name: what the user calls it: its path, or the name of a recipe.

    Raises:
        UserError: the file does not exist, cannot be read, or holds something other than known fields.
    """
    words = f"{kind} {name}"
    fields = _read_json(file, words) if file.lower().endswith(".json") else read_yaml(file, kind)
    if not isinstance(fields, dict):
        received = (
            "nothing" if fields is None else f"{'a list' if isinstance(fields, list) else 'text'}: {shown(fields)}"
        )
        raise UserError(
            f"{words}: expected fields with values, such as epochs: 10, received {received}; write some, or leave "
            f"--{kind} out"
        )
    fields = _without_format(fields, words)
    hints = typing.get_type_hints(TrainConfig)
    for name in fields:
        if name not in hints:
            raise UserError(f"{words}: {_line(name)}unknown field {shown(name)}; known are {', '.join(hints)}")
    return FileFields(
        words=words,
        values={str(name): _of_text(value, hints[name]) for name, value in fields.items()},
        lines={str(name): _line(name) for name in fields},
    )


def _line(name: object) -> str:
    return f"line {name.line}: " if isinstance(name, YamlText) else ""


def _without_format(fields: dict[Any, Any], words: str) -> dict[Any, Any]:
    format_number = whole_number(fields.get("format"))
    if format_number is not None:  # written in YAML
        fields = {**fields, "format": format_number}
    try:
        return without_format(fields, FORMAT, words, is_optional=True)
    except ValueError as error:
        raise UserError(f"{words}: expected the number of a format: {error}; leave the field out") from error


def _read_json(file: str, words: str) -> Any:
    try:
        fields = json.loads(text_of(read_bytes(file), words))
        return without_checksum(fields) if isinstance(fields, dict) else fields
    except FileNotFoundError as error:
        raise UserError(f"{words}: no such file; check the path") from error
    except OSError as error:
        raise UserError(f"{words}: cannot be read: {error.strerror or error}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{words}: expected JSON: {' '.join(str(error).split())}") from error


def _of_text(value: Any, expected: Any) -> Any:
    """Parse a field's value from YAML text; text that cannot be parsed is returned, and the field refuses it."""
    if not isinstance(value, YamlText):
        return value
    if expected is str or is_nothing(value):
        return None if is_nothing(value) else str(value)
    if typing.get_origin(expected) is Literal:
        return next((option for option in get_args(expected) if str(option) == value), str(value))
    read = {bool: boolean, int: whole_number, float: number}[expected](value)
    return str(value) if read is None else read
