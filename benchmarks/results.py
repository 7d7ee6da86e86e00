"""What benchmarks do with their figures: take means, take CPU time, write them as JSON beside the table that is printed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_results(name: str, measured: dict[str, Any]) -> None:
    """Write NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(measured, indent=2, sort_keys=True) + "\n")


def mean(rows: list[dict[str, float]], name: str) -> float:
    """Of one figure over repeats."""
    return sum(row[name] for row in rows) / len(rows)


def cpu_seconds_of_children() -> float:
    """Of all processes that this one started and that have ended."""
    used = os.times()
    return used.children_user + used.children_system
