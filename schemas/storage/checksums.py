"""The checksum that a small JSON file or a line of a log carries of its own fields: reading it reveals a flipped bit.

Files that earlier versions wrote have none and are read as they are.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

CHECKSUM = "content_sha256"


def with_checksum(fields: dict[str, Any], after: str = "") -> dict[str, Any]:
    """Fields of a JSON object, with a checksum of them added.

    Args:
        fields: The fields; a checksum among them is replaced.
        after: Checksum of the previous line, for a line of a log; it reveals a lost line.
    """
    rest = {name: value for name, value in fields.items() if name != CHECKSUM}
    return {**rest, CHECKSUM: content_sha256(json.loads(json.dumps(rest)), after)}


def without_checksum(fields: dict[str, Any], after: str = "") -> dict[str, Any]:
    """Fields as they were passed to `with_checksum`; fields without a checksum are returned unchanged.

    Raises:
        ValueError: they do not match their checksum.
    """
    rest = {name: value for name, value in fields.items() if name != CHECKSUM}
    if CHECKSUM in fields:
        if content_sha256(rest, after) != fields[CHECKSUM]:
            raise ValueError(
                f"its {CHECKSUM} is not that of its other fields, so it was damaged, or changed by hand (then remove that field)"
            )
        return rest
    for name, value in fields.items():
        others = {other: kept for other, kept in fields.items() if other != name}
        if isinstance(value, str) and len(value) == 64 and content_sha256(others, after) == value:
            raise ValueError(f"its {CHECKSUM} is called {name!r}, so it was damaged")
    return rest


def content_sha256(fields: dict[str, Any], after: str = "") -> str:
    """SHA-256 over the fields of a JSON object, hex; independent of their order and spacing."""
    # ASCII, because a path that is not UTF-8 has surrogates, which other encodings refuse.
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{after}{text}".encode()).hexdigest()
