"""Logs of JSON Lines in which each line carries a checksum of itself and of the previous line.

Lines from earlier versions have none, but are covered by those that follow them.
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
    """A log with these entries, oldest first. Deterministic."""
    lines, after = [], ""
    for entry in entries:
        line = with_checksum(entry, after)
        after = line[CHECKSUM]
        lines.append(canonical_json(line) + b"\n")
    return b"".join(lines)


def read_log(uri: str, advice: str) -> list[dict[str, Any]]:
    """The entries of a log of versions, oldest first: at least one, each with its `version`.

    Args:
        uri: URI of the log.
        advice: What to do if it is damaged.

    Raises:
        FileNotFoundError: there is no log.
        DatasetError: the log is damaged; the error names the line.
    """
    entries, damage = whole_entries(uri)
    if damage:
        raise DatasetError(f"{uri}: {damage[0]}; {advice}")
    return entries


def whole_entries(uri: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The intact entries of a log that may be damaged, and a problem for each other line.

    Raises:
        FileNotFoundError: there is no log.
    """
    lines = read_bytes(uri).split(b"\n")
    entries: list[dict[str, Any]] = []
    damage: list[str] = []
    after, begun = "", False  # begun: a line with a checksum came before, after which every line has one
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
            after = said  # the lines that follow may still be intact
        begun = begun or bool(said)
    if lines[-1]:
        damage.append(f"line {len(lines)}: expected a line of the log and its end, received {lines[-1][:60]!r}")
    if len(lines) == 1:
        damage.append("expected at least one line, found none")
    return entries, damage
