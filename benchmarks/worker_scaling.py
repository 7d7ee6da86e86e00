"""Speed-up of a build with two workers over one, beside that of two simultaneous bare decodes.

    python -m benchmarks.worker_scaling

The table shows wall time per additional hour of audio. Two processes on one machine share caches, memory and often the
units of a core, so two bare decodes are less than twice as fast as one: this is the upper limit for a build.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.build_cost import build_command
from benchmarks.material import described, write_catalog
from benchmarks.results import write_results
from benchmarks.tree_cost import ROOT, cost_of

SECONDS = 300  # length of a track
FILES = 16
FEW, MANY = 16, 96  # tracks
REPEATS = 2


def _build_seconds(folder: Path, catalog: Path, workers: int) -> float:
    options = ("--workers", str(workers), "--excerpt", "full", "--shards", str(MANY // 2))
    return cost_of(build_command(folder / "data", *options)(catalog)).wall


def _decode_seconds(folder: Path, catalog: Path, processes: int) -> float:
    """Wall time of simultaneous bare decodes, each with its share of the rows."""
    header, *rows = catalog.read_text().splitlines()
    commands: list[Sequence[str]] = []
    for number in range(processes):
        share = folder / f"share-{number}.csv"
        share.write_text("\n".join([header, *rows[number::processes]]) + "\n")
        commands.append((sys.executable, "-m", "benchmarks.workloads", "bare_decode", str(share)))
    started = time.monotonic()
    running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    if any(process.wait() for process in running):
        raise RuntimeError("a bare decode failed")
    return time.monotonic() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalogs = [write_catalog(folder, tracks, SECONDS, files=FILES) for tracks in (FEW, MANY)]

        def marginal(measure: Callable[[Path, Path, int], float], count: int) -> float:
            few, many = (min(measure(folder, catalog, count) for _ in range(REPEATS)) for catalog in catalogs)
            return (many - few) / ((MANY - FEW) * SECONDS / 3600)

        rows = {
            "bare decode": [marginal(_decode_seconds, count) for count in (1, 2)],
            "whole build": [marginal(_build_seconds, count) for count in (1, 2)],
        }
    print(f"stereo mp3 of {SECONDS} s, {described()}")
    print(f"{'wall seconds per hour of audio':<32} {'one':>7} {'two':>7} {'speed-up':>9}")
    for name, (one, two) in rows.items():
        print(f"{name:<32} {one:>7.2f} {two:>7.2f} {one / two:>9.2f}")
    decode, build = (one / two for one, two in rows.values())
    print(f"the build's speed-up is {build / decode:.2f} of that of bare decodes")
    write_results("worker_scaling", {"wall_per_hour": rows, "share_of_bare_speed_up": build / decode})


if __name__ == "__main__":
    main()
