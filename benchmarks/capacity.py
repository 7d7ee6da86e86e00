"""Time and price of building 1.5 and 100 million tracks on 10 to 10,000 workers, simulated from what is measured here.

    python -m benchmarks.capacity
    python -m benchmarks.capacity --audio /tmp/audio --docs docs
    python -m benchmarks.capacity --simulate-only --docs docs

The command measures single tracks, plans and real builds, holds the model to the builds, simulates the large ones, and
writes benchmarks/results/capacity.json. --audio names a folder that keeps the encoded files for the next time, --docs one
with capacity.md, whose tables and figure are written anew, and --simulate-only takes the measurements from the results.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.capacity_figure import write_figure
from benchmarks.capacity_grid import Setting, all_builds, variations
from benchmarks.capacity_measure import measured_apart, mixed_catalog
from benchmarks.capacity_page import tables_of, write_page
from benchmarks.capacity_runs import hold
from benchmarks.capacity_work import Measured
from benchmarks.material import described
from benchmarks.results import RESULTS, write_results

NAME = "capacity"
SAMPLED, BUILT = 3, 8  # rows per file: of the sample, and of the catalog that is built
VARIED = (1_500_000, 1_000)  # tracks and workers of the build whose assumptions are varied


def measure(audio: Path) -> dict[str, Any]:
    """Measure everything; the result can be stored as JSON.

    Args:
        audio: Folder for the encoded files; those that it holds are used as they are.
    """
    load = os.getloadavg()[0]
    sample = mixed_catalog(audio, SAMPLED)
    excerpt = measured_apart("tracks", str(sample), "center:30", together=2)[0]
    (plan,) = measured_apart("plan")
    runs = hold(sample, mixed_catalog(audio, BUILT))
    return {
        "audio": described(),
        "cores": os.cpu_count(),
        "load": load,
        "excerpt": excerpt,
        "plan": plan,
        **dataclasses.asdict(runs),
    }


def measured_of(found: dict[str, Any]) -> Measured:
    """The inputs of the simulation, from what `measure` found; tracks as they were while another process did the same."""
    paired, plan = found["excerpt"], found["plan"]
    return Measured(
        tracks=np.array([file["cpu"] for file in paired["files"].values()]),
        sizes=np.array([file["bytes"] for file in paired["files"].values()], np.float64),
        shard=paired["shard"]["cpu"],
        worker=found["start"],
        plan_per_track=plan["per_track"],
        plan_per_shard=plan["per_shard"],
        driver_memory_per_track=plan["memory_per_track"],
        open_per_shard=plan["open_seconds_per_shard"],
        plan_memory_per_shard=plan["open_memory_per_shard"],
        close_per_shard=found["close_per_shard"],
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--simulate-only", action="store_true", help="take what was measured from the results")
    arguments.add_argument("--audio", type=Path, help="folder that keeps the encoded files")
    arguments.add_argument("--docs", type=Path, help="folder of capacity.md and capacity.png, which are written anew")
    given = arguments.parse_args()
    results = RESULTS / f"{NAME}.json"
    if given.simulate_only and not results.exists():
        arguments.error(f"--simulate-only: {results} does not exist; run the command without it first")
    if given.simulate_only:
        found = json.loads(results.read_text())["measured"]
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(given.audio or Path(folder))
    measured = measured_of(found)
    setting = Setting(measured)
    built, varied = all_builds(setting), variations(setting, *VARIED)
    tables = tables_of(found, measured, built, varied)
    print(tables)
    assumed = {name: dataclasses.asdict(getattr(setting, name)) for name in ("fleet", "bucket", "access")}
    rows = {name: dataclasses.asdict(row) for name, row in varied.items()}
    builds = [dataclasses.asdict(row) for row in built]
    write_results(NAME, {"measured": found, "assumed": assumed, "builds": builds, "variations": rows})
    if given.docs:
        write_figure(built, given.docs / "capacity.png")
        write_page(given.docs / "capacity.md", tables)


if __name__ == "__main__":
    main()
