"""JSON objects out of files that may have been cut, replaced, or written by hand."""

from __future__ import annotations

import json
from typing import Any


def parse_json_object(data: bytes | str) -> dict[str, Any]:
    """The fields of a JSON object.

    Raises:
        ValueError: it is not JSON in UTF-8, or another kind of value; the message says which, for the reader's own error.
    """
    fields = json.loads(data)
    if not isinstance(fields, dict):
        raise ValueError(f"it is {type(fields).__name__}")
    return fields
