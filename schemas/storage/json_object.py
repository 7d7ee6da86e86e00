"""Parse JSON objects from files that may have been truncated, damaged, replaced, or written by hand."""

from __future__ import annotations

import json
from typing import Any

from schemas.console.errors import TagscaleError, UserError
from schemas.storage.checksums import without_checksum


def parse_json_object(data: bytes | str, *, known_format: int | None = None, after: str = "") -> dict[str, Any]:
    """The fields of a JSON object, without the checksum that it may carry.

    Args:
        data: The object as text.
        known_format: Newest `format` that this version knows; the checksum of a newer one may be computed differently, so
            it is ignored.
        after: Checksum of the previous line, for a line of a log.

    Raises:
        ValueError: it is not JSON in UTF-8, or not an object, or its fields do not match its checksum; the caller puts the
            message into its own error.
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
    """The fields of a file without `format`, the number of its format.

    Args:
        fields: Fields of the file.
        known: Newest format that this version reads.
        where: Name of the file, with which the error begins.
        is_optional: True if the file may have no number, because a user wrote it.
        error: Exception to raise for a newer format.

    Raises:
        ValueError: the format number is invalid; the caller puts the message into its own error.
        TagscaleError: the format is newer; of the class `error`, with what to do.
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
