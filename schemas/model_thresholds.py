"""The thresholds at which a model assigns its tags: assets/thresholds.json of an exported model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from schemas.storage.json_object import parse_json_object

THRESHOLDS_NAME = "thresholds.json"

Thresholds = tuple[float | None, ...]


def thresholds_json(tags: Sequence[str], thresholds: Thresholds, tracks: int) -> bytes:
    """The file.

    Args:
        tags: tags in output order.
        thresholds: lowest score at which each tag is assigned; None for a tag that is never assigned.
        tracks: number of validation tracks that they come from.
    """
    chosen = dict(zip(tags, thresholds, strict=True))
    fields = {"format": 1, "split": "validation", "tracks": tracks, "thresholds": chosen}
    return (json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parse_thresholds(data: bytes, tags: Sequence[str]) -> Thresholds:
    """Read the file; raises ValueError unless it has a number or null for each tag and for nothing else."""
    found: Any = parse_json_object(data).get("thresholds")
    if not isinstance(found, dict) or set(found) != set(tags):
        raise ValueError("thresholds: expected one for each tag of the vocabulary")
    for tag, value in found.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not is_number:
            raise ValueError(f"thresholds: expected a number or null for {tag}, received {value!r}")
    return tuple(None if found[tag] is None else float(found[tag]) for tag in tags)
