"""JSON objects out of files that may have been cut, damaged, replaced, or written by hand."""

from __future__ import annotations

import json
from typing import Any

from schemas.console.errors import TagscaleError, UserError
from schemas.storage.checksums import without_checksum


def parse_json_object(data: bytes | str, *, known_format: int | None = None, after: str = "") -> dict[str, Any]:
    """The fields of a JSON object, without the checksum of them that it may carry.

    Args:
        data: the object as text.
        known_format: newest `format` that this version knows; the checksum of a newer one may be taken in another way,
            and is not looked at.
        after: checksum of the line before, for a line of a log.

    Raises:
        ValueError: it is not JSON in UTF-8, or another kind of value, or its fields are not those of its checksum; the
            message says which, for the reader's own error.
    """
    try:
        fields = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError(f"it is {type(fields).__name__}")
    number = fields.get("format")
    if known_format is not None and isinstance(number, int) and number > known_format:
        return fields
    return without_checksum(fields, after)


def without_format(
    fields: dict[str, Any],
    known: int,
    where: str,
    *,
    is_optional: bool = False,
    error: type[TagscaleError] = UserError,
) -> dict[str, Any]:
    """The fields of a file without `format`, the number of the format that it is written in.

    Args:
        fields: of the file.
        known: newest format that this version reads.
        where: what the error begins with: the file.
        is_optional: the file may have no number, as where a user wrote it.
        error: what is raised where the format is a newer one.

    Raises:
        ValueError: it is no number of a format; the message says so, for the reader's own error.
        TagscaleError: `error`, with what to do.
    """
    rest = {name: value for name, value in fields.items() if name != "format"}
    if is_optional and len(rest) == len(fields):
        return rest
    number = fields.get("format")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"its format number is {number!r}")
    if number > known:
        raise error(f"{where}: written in format {number} by a newer tagscale; this one reads {known}: upgrade it")
    return rest
