"""The checksum that a small JSON file, or a line of a log, carries of its own fields: a flipped bit shows when it is read.

Files that earlier versions wrote have none and are read as they are.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

CHECKSUM = "content_sha256"


def with_checksum(fields: dict[str, Any], after: str = "") -> dict[str, Any]:
    """Fields of a JSON object with the checksum of the others among them.

    Args:
        fields: the fields; a checksum that is among them is replaced.
        after: checksum of the line before, for a line of a log; a line that is lost shows by it.
    """
    rest = {name: value for name, value in fields.items() if name != CHECKSUM}
    return {**rest, CHECKSUM: content_sha256(json.loads(json.dumps(rest)), after)}


def without_checksum(fields: dict[str, Any], after: str = "") -> dict[str, Any]:
    """Fields as they were given to `with_checksum`; those that have no checksum come back as they are.

    Raises:
        ValueError: they are not those that the checksum was taken of.
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
    """SHA-256 over the fields of a JSON object, hex; the same however they are ordered and spaced."""
    # In ASCII: a path that is no UTF-8 has surrogates, which no other encoding takes.
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{after}{text}".encode()).hexdigest()
