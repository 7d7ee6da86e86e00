"""Functions for the results of benchmarks: times, means, CPU time, and JSON files beside the printed table."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_results(name: str, measured: dict[str, Any]) -> None:
    """Write benchmarks/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(measured, indent=2, sort_keys=True) + "\n")


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(calls: Iterable[Callable[[], object]]) -> dict[str, float]:
    """Median wall time and CPU time of calls; on a machine that others use too the latter says what the former hides."""
    wall, cpu = [], []
    for call in calls:
        before = time.process_time()
        wall.append(seconds(call))
        cpu.append(time.process_time() - before)
    return {"wall": statistics.median(wall), "cpu": statistics.median(cpu)}


def mean(rows: list[dict[str, float]], name: str) -> float:
    """Mean of one figure over repeats."""
    return sum(row[name] for row in rows) / len(rows)


def cpu_seconds_of_children() -> float:
    """CPU seconds of all ended child processes."""
    used = os.times()
    return used.children_user + used.children_system
