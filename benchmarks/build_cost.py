"""Cost of a whole build on long stereo mp3, beside a bare decode and the usual script.

    python -m benchmarks.build_cost

The table shows CPU seconds of the whole process tree per additional hour of audio, and the fixed cost of starting up.
Every row runs in its own process with one thread per library, on the same files, in one run. The build skips its
preflight, which is a fixed cost too: it decodes 10 s each of at most 36 tracks, whatever the size of the catalog.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.marginal import Marginal, Sizes, marginal
from benchmarks.material import described, write_catalog
from benchmarks.results import write_results

SECONDS = 300  # length of a track
FEW, MANY = 2, 26  # tracks: ten minutes and over two hours of audio
REPEATS = 3

BARE, HERE, ISOLATED = "bare streamed decode", "both features, in one process", "the same, isolated"
BUILD, USUAL = "whole build, one worker", "the usual script (librosa)"


def workload(name: str) -> Callable[[Path], Sequence[str]]:
    return lambda catalog: (sys.executable, "-m", "benchmarks.workloads", name, str(catalog))


def build_command(folder: Path, *options: str) -> Callable[[Path], Sequence[str]]:
    """Returns the command that builds a catalog from scratch, without a preflight; `folder` is emptied each time."""

    def command(catalog: Path) -> Sequence[str]:
        shutil.rmtree(folder, ignore_errors=True)
        words = ("build", "--catalog", str(catalog), "--dataset", str(folder), "--max-reject-rate", "1", *options)
        return (sys.executable, "-m", "pipeline.run", *words)

    return command


def measure(folder: Path, repeats: int = REPEATS) -> dict[str, Marginal]:
    """Measures the cost of each row."""
    few, many = (write_catalog(folder, tracks, SECONDS) for tracks in (FEW, MANY))
    sizes = Sizes(few, many, FEW * SECONDS / 3600, MANY * SECONDS / 3600)
    data = folder / "data"
    rows: dict[str, Callable[[Path], Sequence[str]]] = {
        BARE: workload("bare_decode"),
        HERE: workload("features_here"),
        ISOLATED: workload("features_isolated"),
        BUILD: build_command(data, "--workers", "1", "--excerpt", "full"),
        USUAL: workload("usual_script"),
    }
    return {name: marginal(command, sizes, repeats) for name, command in rows.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder))
    floor = costs[BARE].per_hour
    print(f"stereo mp3 of {SECONDS} s, {described()}")
    print(f"{'CPU seconds of the process tree':<32} {'per hour':>9} {'x real time':>12} {'x decode':>9} {'fixed':>7}")
    for name, cost in costs.items():
        ratio = cost.per_hour / floor
        print(f"{name:<32} {cost.per_hour:>9.2f} {3600 / cost.per_hour:>12,.0f} {ratio:>9.2f} {cost.fixed:>6.1f}s")
    ratios = {
        "build_to_bare_decode": costs[BUILD].per_hour / floor,
        "usual_script_to_build": costs[USUAL].per_hour / costs[BUILD].per_hour,
        "isolation": costs[ISOLATED].per_hour / costs[HERE].per_hour,
    }
    print(
        f"whole build / bare decode {ratios['build_to_bare_decode']:.2f}; usual script / whole build "
        f"{ratios['usual_script_to_build']:.1f}; isolation {ratios['isolation'] - 1:+.1%}"
    )
    rows = {name: dataclasses.asdict(cost) for name, cost in costs.items()}
    write_results("build_cost", {"rows": rows, **ratios})


if __name__ == "__main__":
    main()
