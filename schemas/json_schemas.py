"""JSON Schemas, generated from dataclasses, of the files that people and programs write for tagscale or read from it.

Types and bounds come from the annotations that `schemas.validation` checks; descriptions come from the docstrings.
`docs/write_schemas.py` writes them to docs/schemas.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, is_typeddict

import msgspec

from schemas.storage.checksums import CHECKSUM
from schemas.validation import field_hints

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def json_schema(
    kind: type[Any],
    title: str,
    *,
    hints: Mapping[str, Any] | None = None,
    file_format: int | None = None,
    is_written_by_hand: bool = False,
    rules: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The JSON Schema of a file that holds the fields of a dataclass.

    Args:
        kind: The dataclass.
        title: Title of the file.
        hints: Annotated types of its fields; None for those that it declares.
        file_format: Number of the file's format; None if it has none.
        is_written_by_hand: True if format and checksum may be left out.
        rules: Further keywords of the schema, for what types cannot express.
    """
    hints = field_hints(kind) if hints is None else hints
    kinds = {each.__name__: each for hint in hints.values() for each in _classes(hint)}
    fields = [_struct_field(field, hints[field.name]) for field in dataclasses.fields(kind)]
    _, parts = msgspec.json.schema_components(
        [msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=True)], ref_template="#/$defs/{name}"
    )
    schema = parts.pop(kind.__name__)
    for name, part in parts.items():
        _describe(part, kinds[name])
        if not is_typeddict(kinds[name]):
            part["additionalProperties"] = False
    _describe(schema, kind)
    if file_format is not None:
        schema["properties"] |= _of_the_file(file_format)
        if not is_written_by_hand:
            schema["required"] = ["format", *schema.get("required", [])]
    summary = (inspect.getdoc(kind) or title).split("\n\n")[0]
    head = {"$schema": _DIALECT, "title": title, "description": " ".join(summary.split())}
    return {**head, **{key: value for key, value in schema.items() if key not in head}, **(rules or {}), "$defs": parts}


def schema_bytes(schema: dict[str, Any]) -> bytes:
    """A schema as the bytes of its file. Deterministic."""
    if not schema.get("$defs"):
        schema = {key: value for key, value in schema.items() if key != "$defs"}
    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()


def _struct_field(field: dataclasses.Field[Any], hint: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.default_factory is not dataclasses.MISSING:
        return field.name, hint, msgspec.field(default_factory=field.default_factory)
    return (field.name, hint) if field.default is dataclasses.MISSING else (field.name, hint, field.default)


def _classes(hint: Any) -> Iterator[Any]:
    """The dataclasses and TypedDicts in a type, and in their fields."""
    if dataclasses.is_dataclass(hint) or is_typeddict(hint):
        yield hint
        for inner in field_hints(typing.cast(Any, hint)).values():
            yield from _classes(inner)
    for inner in get_args(hint)[:1] if typing.get_origin(hint) is Annotated else get_args(hint):
        yield from _classes(inner)


def _describe(schema: dict[str, Any], kind: type[Any]) -> None:
    """Add the docstring's description of each attribute, unless its type has one."""
    words = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(inspect.getdoc(kind) or "")}
    schema.pop("description", None)
    for name, field in schema["properties"].items():
        if name in words:
            field.setdefault("description", words[name])
        if field.get("default") in (None, (), [], {}):  # such a default says only that the field may be left out
            field.pop("default", None)


def _of_the_file(file_format: int) -> dict[str, Any]:
    return {
        "format": {"const": file_format, "description": "Number of the file's format."},
        CHECKSUM: {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256 over the other fields; remove it if you change one by hand.",
        },
    }
