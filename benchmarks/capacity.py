"""Time and price of building 1.5 and 100 million tracks on 10 to 10,000 workers, simulated from what is measured here.

    python -m benchmarks.capacity
    python -m benchmarks.capacity --simulate-only --figure docs/capacity.png

The command measures single tracks, plans and real builds, holds the model to the builds, simulates the large ones, and
writes benchmarks/results/capacity.json. With --simulate-only it takes the measurements from that file. --audio names a
folder that keeps the encoded files for the next time.
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
from benchmarks.capacity_grid import (
    DEFAULT_MIB,
    SHARD_MIB,
    TRACKS,
    WORKER_MEMORY,
    Setting,
    Simulated,
    all_builds,
    best_sizes,
    regret,
    variations,
)
from benchmarks.capacity_measure import measured_apart, mixed_catalog
from benchmarks.capacity_runs import Held, hold, measure_pair
from benchmarks.capacity_work import Measured
from benchmarks.material import described
from benchmarks.results import RESULTS, write_results

NAME = "capacity"
SAMPLED, BUILT = 3, 8  # rows per file: of the sample, and of the catalog that is built
VARIED = (1_500_000, 1_000)  # tracks and workers of the build whose assumptions are varied


def measure(audio: Path) -> dict[str, Any]:
    """Measure everything; the result can be stored as JSON."""
    load = os.getloadavg()[0]
    sample = mixed_catalog(audio, SAMPLED)
    excerpt = measure_pair(sample, "center:30")
    whole = measure_pair(sample, "full")
    (plan,) = measured_apart("plan")
    runs = hold(mixed_catalog(audio, BUILT), *whole)
    return {
        "audio": described(),
        "cores": os.cpu_count(),
        "load": load,
        "excerpt": {"alone": excerpt[0], "paired": excerpt[1]},
        "whole": {"alone": whole[0], "paired": whole[1]},
        "plan": plan,
        **dataclasses.asdict(runs),
    }


def measured_of(found: dict[str, Any]) -> Measured:
    """The inputs of the simulation, from what `measure` found: of two processes side by side, as on a machine that is busy."""
    files = found["excerpt"]["paired"]["files"].values()
    return Measured(
        tracks=np.array([file["cpu"] for file in files]),
        sizes=np.array([file["bytes"] for file in files], np.float64),
        shard=found["excerpt"]["paired"]["shard"]["cpu"],
        worker=found["start"],
        plan_per_track=found["plan"]["per_track"],
        plan_per_shard=found["plan"]["per_shard"],
        driver_memory_per_track=found["plan"]["memory_per_track"],
        open_per_shard=found["plan"]["open_seconds_per_shard"],
        plan_memory_per_shard=found["plan"]["open_memory_per_shard"],
        close_per_shard=found["close_per_shard"],
    )


def _print_measured(found: dict[str, Any], measured: Measured) -> None:
    print(f"stereo mp3, {found['audio']}, {found['cores']} cores, load {found['load']:.1f} at the start")
    print(
        f"a track of 30 s out of {len(measured.tracks)} lengths: {measured.tracks.mean():.3f} CPU s "
        f"({measured.tracks.min():.3f} to {measured.tracks.max():.3f}), {measured.sizes.mean() / 1e6:.1f} MB; "
        f"a shard {measured.shard * 1e3:.0f} ms, a worker {measured.worker:.1f} s\n"
        f"planning {measured.plan_per_track * 1e6:.1f} µs a track and {measured.plan_per_shard * 1e6:.0f} µs a shard, "
        f"closing {measured.close_per_shard * 1e3:.1f} ms a shard; opening a plan "
        f"{measured.open_per_shard * 1e6:.1f} µs and {measured.plan_memory_per_shard / 1e3:.1f} kB a shard"
    )
    beside = f"{'predicted':>10} {'error':>7}"
    print(f"\n{'real builds':<12} {'wall s':>8} {beside} {'CPU s':>8} {beside} {'others':>7}")
    for row in (Held(**row) for row in found["held"]):
        errors = row.wall / row.wall_measured - 1, row.cpu / row.cpu_measured - 1
        print(
            f"{row.workers:>2} worker{'s' * (row.workers > 1):<4} {row.wall_measured:>8.1f} {row.wall:>10.1f} {errors[0]:>+7.1%} "
            f"{row.cpu_measured:>8.1f} {row.cpu:>10.1f} {errors[1]:>+7.1%} {row.others:>7.2f}"
        )
    print("(others: cores that other work used meanwhile)")


def _print_builds(built: list[Simulated], driver_memory: float) -> None:
    columns = (
        f"{'tracks':>12} {'workers':>8} {'shards':>8} {'hours':>8} {'dollars':>8} {'efficiency':>11}  {'bound by':<15}"
    )
    print(f"\nshards of {DEFAULT_MIB} MiB\n{columns} best size")
    for best, row in best_sizes(built).values():
        print(
            f"{row.tracks:>12,} {row.workers:>8,} {row.shards:>8,} {row.seconds / 3600:>8.2f} {row.dollars:>8,.0f} "
            f"{row.efficiency:>11.0%}  {row.binds:<15} {best.shard_mib:,} MiB, {best.seconds / 3600:.2f} h"
        )
    needed = " and ".join(f"{tracks * driver_memory / 1e9:,.1f} GB for {tracks:,} tracks" for tracks in TRACKS)
    print(f"planning needs about {needed} in the driver")
    print(f"\n{'MiB in a shard':<15} {'slower than the best size by at most':>37} {'memory to open the plan':>24}")
    for tracks in TRACKS:
        for size in SHARD_MIB[tracks]:
            (row, *_) = (row for row in built if (row.tracks, row.shard_mib) == (tracks, size))
            too_much = "  more than a worker has" if row.plan_gb * 1e9 > WORKER_MEMORY else ""
            print(
                f"{size:>7,} of {tracks / 1e6:>4g} M {regret(built, tracks, size):>37.0%} {row.plan_gb:>21.2f} GB{too_much}"
            )


def _print_variations(varied: dict[str, Simulated]) -> None:
    tracks, workers = VARIED
    base = next(iter(varied.values()))
    heading = f"{tracks:,} tracks, {workers:,} workers"
    print(f"\n{heading:<34} {'hours':>7} {'ratio':>6} {'dollars':>8} {'lost':>5}  bound by")
    for name, row in varied.items():
        hours, ratio = row.seconds / 3600, row.seconds / base.seconds
        print(f"{name:<34} {hours:>7.2f} {ratio:>6.2f} {row.dollars:>8,.0f} {row.lost:>5,}  {row.binds}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--simulate-only", action="store_true", help="take what was measured from the results")
    arguments.add_argument("--audio", type=Path, help="folder that keeps the encoded files")
    arguments.add_argument("--figure", type=Path, help="PNG to write")
    given = arguments.parse_args()
    if given.simulate_only:
        if not (RESULTS / f"{NAME}.json").exists():
            arguments.error(f"--simulate-only: {RESULTS / NAME}.json does not exist; run it once without")
        found = json.loads((RESULTS / f"{NAME}.json").read_text())["measured"]
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(given.audio or Path(folder))
    measured = measured_of(found)
    _print_measured(found, measured)
    setting = Setting(measured)
    built = all_builds(setting)
    _print_builds(built, measured.driver_memory_per_track)
    varied = variations(setting, *VARIED)
    _print_variations(varied)
    if given.figure:
        write_figure(built, given.figure)
    assumed = {name: dataclasses.asdict(getattr(setting, name)) for name in ("fleet", "bucket", "access")}
    write_results(
        NAME,
        {
            "measured": found,
            "assumed": assumed,
            "builds": [dataclasses.asdict(row) for row in built],
            "variations": {name: dataclasses.asdict(row) for name, row in varied.items()},
        },
    )


if __name__ == "__main__":
    main()
