"""Write what a benchmark measured as JSON into benchmarks/results/, beside the table that it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_results(name: str, measured: dict[str, Any]) -> None:
    """Write NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(measured, indent=2, sort_keys=True) + "\n")
