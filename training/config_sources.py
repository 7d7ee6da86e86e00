"""A configuration from its two sources: a YAML or JSON file, overridden by the command line."""

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
from training.config import FORMAT, TrainConfig, option_of
from training.config_combinations import IN_STEPS, FieldError


def resolve_config(file: str | None, overrides: dict[str, Any], defaults: dict[str, Any] | None = None) -> TrainConfig:
    """Build a configuration from a file and the command line, which takes precedence.

    Args:
        file: YAML, or the config.json of a run; None for no file.
        overrides: fields given on the command line; None means that a field is not given.
        defaults: values of fields that are given in neither.

    Raises:
        UserError: the file does not exist, or a field is unknown, missing or invalid.
    """
    fields: dict[str, Any] = {}
    if file is not None:
        fields = _fields_of(file)
    given = {name: value for name, value in overrides.items() if value is not None}
    of_file = fields.keys() - given.keys()
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    for name in (*fields, *given, *(defaults or {})):
        if name not in known:
            line = f"line {name.line}: " if isinstance(name, YamlText) else ""
            raise UserError(f"config {file}: {line}unknown field {shown(name)}; known are {', '.join(known)}")
    lines = {str(name): f"line {name.line}: " for name in fields if isinstance(name, YamlText)}
    hints = typing.get_type_hints(TrainConfig)
    of_text = {str(name): _of_text(value, hints[name]) for name, value in fields.items()}
    fields = {**(defaults or {}), **_without_overridden(of_text, given), **given}
    for name in ("dataset", "label_set", "frontend"):
        if name not in fields:
            raise UserError(f"{option_of(name)}: expected, on the command line or in --config")
    try:
        return TrainConfig(**fields)
    except FieldError as error:
        of = f"config {file}: {lines.get(error.field, '')}{error.field}"
        raise FieldError(
            error.field, error.problem, of if error.field in of_file else option_of(error.field)
        ) from error


def _without_overridden(of_file: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file, without a number of epochs or steps in whose place the command line gives the other."""
    other = {steps: epochs for pair in IN_STEPS.items() for steps, epochs in (pair, pair[::-1])}
    return {name: value for name, value in of_file.items() if not given.get(other.get(name, ""))}


def _fields_of(file: str) -> dict[Any, Any]:
    """The fields of a configuration file: typed values from JSON, text as it is written from YAML."""
    fields = _read_json(file) if file.lower().endswith(".json") else read_yaml(file, "config")
    if not isinstance(fields, dict):
        received = (
            "nothing" if fields is None else f"{'a list' if isinstance(fields, list) else 'text'}: {shown(fields)}"
        )
        raise UserError(
            f"config {file}: expected fields with values, such as epochs: 10, received {received}; write some, or leave "
            "--config out"
        )
    number = whole_number(fields.get("format"))
    if number is not None:  # written in YAML
        fields = {**fields, "format": number}
    try:
        return without_format(fields, FORMAT, f"config {file}", is_optional=True)
    except ValueError as error:
        raise UserError(f"config {file}: expected the number of a format: {error}; leave the field out") from error


def _read_json(file: str) -> Any:
    try:
        fields = json.loads(text_of(read_bytes(file), f"config {file}"))
        return without_checksum(fields) if isinstance(fields, dict) else fields
    except FileNotFoundError as error:
        raise UserError(f"config {file}: no such file; check the path") from error
    except OSError as error:
        raise UserError(f"config {file}: cannot be read: {error.strerror or error}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"config {file}: expected JSON: {' '.join(str(error).split())}") from error


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
