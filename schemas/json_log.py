"""Logs of JSON Lines in which each line carries a checksum of itself and of the line before.

Lines that earlier versions wrote have none; those that follow them cover them all the same.
"""

from __future__ import annotations

import json
from typing import Any

from schemas.console.errors import DatasetError
from schemas.features import canonical_json
from schemas.storage.checksums import CHECKSUM, content_sha256, with_checksum
from schemas.storage.files import read_bytes
from schemas.storage.json_object import parse_json_object


def log_bytes(entries: list[dict[str, Any]]) -> bytes:
    """A log of some entries, oldest first; the same entries give the same bytes."""
    lines, after = [], ""
    for entry in entries:
        line = with_checksum(entry, after)
        after = line[CHECKSUM]
        lines.append(canonical_json(line) + b"\n")
    return b"".join(lines)


def read_log(uri: str, advice: str) -> list[dict[str, Any]]:
    """The entries of a log of versions, oldest first; at least one, each with its `version`.

    Args:
        uri: of the log.
        advice: what to do where it is damaged.

    Raises:
        FileNotFoundError: there is none.
        DatasetError: it is damaged; the error names the line.
    """
    entries, damage = whole_entries(uri)
    if damage:
        raise DatasetError(f"{uri}: {damage[0]}; {advice}")
    return entries


def whole_entries(uri: str) -> tuple[list[dict[str, Any]], list[str]]:
    """What is left of a log that may be damaged: the lines that are whole, and what is wrong with each other one.

    Raises:
        FileNotFoundError: there is none.
    """
    lines = read_bytes(uri).split(b"\n")
    entries: list[dict[str, Any]] = []
    damage: list[str] = []
    after, begun = "", False  # whether a line with a checksum came before: from there on each has one
    for number, line in enumerate(lines[:-1], 1):
        said = ""
        try:
            said = str(json.loads(line).get(CHECKSUM, ""))
            if begun and not said:
                raise ValueError(f"it has no {CHECKSUM}, as the lines before it have")
            entry = parse_json_object(line, after=after)
            if not isinstance(entry.get("version"), str):
                raise ValueError("it names no version")
            entries.append(entry)
            after = said or content_sha256(entry, after)
        except (ValueError, AttributeError, RecursionError) as error:
            damage.append(f"line {number}: expected a line of the log, a JSON object with its checksum: {error}")
            after = said  # what follows may be whole all the same
        begun = begun or bool(said)
    if lines[-1]:
        damage.append(f"line {len(lines)}: expected a line of the log and its end, received {lines[-1][:60]!r}")
    if len(lines) == 1:
        damage.append("expected at least one line, found none")
    return entries, damage
