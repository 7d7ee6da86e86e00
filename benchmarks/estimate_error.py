"""Error of `estimate`: its prediction from a sample of a mixed catalog against the CPU time and bytes of the whole build.

    python -m benchmarks.estimate_error

The build runs from the command line, with all its processes; the estimate runs before it, in its own process.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.material import described, write_catalog
from benchmarks.results import write_results
from benchmarks.tree_cost import ROOT, cost_of

# Ending, length in seconds and number of files.
MIX = (("mp3", 90, 6), ("mp3", 210, 10), ("mp3", 420, 4), ("flac", 150, 5), ("flac", 300, 4), ("wav", 60, 3))
TIMES = 6  # rows per file, each with another id, so that a file is encoded only once
BROKEN = 4  # files without audio
SAMPLE = 50
BUILDS = (("center:30", 1), ("center:30", 2), ("full", 2))  # excerpt and workers


@dataclasses.dataclass(frozen=True)
class Compared:
    """An estimate beside the build.

    Attributes:
        cpu, cpu_measured: CPU seconds of all processes, estimated and measured.
        cpu_low, cpu_high: ends of the estimate's 95 % interval.
        bytes, bytes_measured: size of the payloads.
        wall, wall_measured: wall time in seconds.
    """

    cpu: float
    cpu_low: float
    cpu_high: float
    cpu_measured: float
    bytes: float
    bytes_measured: int
    wall: float
    wall_measured: float


def mixed_catalog(folder: Path) -> Path:
    """A catalog of tracks of several lengths and formats, some broken."""
    rows = []
    for ending, seconds, count in MIX:
        place = folder / f"{ending}-{seconds}"
        write_catalog(place, count, seconds, ending)
        for number in range(count * TIMES):
            rows.append((f"{place.name}-{number}", f"{place.name}/{number % count:05d}.{ending}", seconds))
    for number in range(BROKEN):
        (folder / f"broken-{number}.mp3").write_text("no audio")
        rows.append((f"broken-{number}", f"broken-{number}.mp3", 180))
    catalog = folder / "catalog.csv"
    with open(catalog, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("track_id", "uri", "duration"))
        writer.writerows(rows)
    return catalog


def compare(catalog: Path, data: Path, excerpt: str, workers: int) -> Compared:
    """Run the estimate, then the build."""
    command = (sys.executable, "-m", "pipeline.run")
    asked = ("--catalog", str(catalog), "--excerpt", excerpt, "--workers", str(workers))
    said = subprocess.run(
        (*command, "estimate", *asked, "--sample", str(SAMPLE), "--json"),
        cwd=ROOT, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    estimate = json.loads(said.stdout)
    (at,) = estimate["at"]
    shutil.rmtree(data, ignore_errors=True)
    cost = cost_of((*command, "build", *asked, "--dataset", str(data)))
    return Compared(
        *(at["core_hours"][end] * 3600 for end in ("value", "low", "high")),
        cpu_measured=cost.cpu,
        bytes=sum(size["value"] for size in estimate["bytes"].values()),
        bytes_measured=sum(path.stat().st_size for path in data.rglob("*.tfrecord")),
        wall=at["wall_seconds"]["value"],
        wall_measured=cost.wall,
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = mixed_catalog(Path(folder) / "audio")
        tracks = sum(count for _, _, count in MIX) * TIMES + BROKEN
        print(f"{tracks} tracks, {SAMPLE} of them sampled; {described()}")
        beside = f"{'measured':>9} {'ratio':>6}"
        print(f"{'':<22} {'CPU s':>7} {'95 %':>14} {beside} {'MB':>7} {beside} {'wall s':>7} {'measured':>9}")
        rows = {}
        for excerpt, workers in BUILDS:
            name = f"{excerpt}, {workers} worker{'s' * (workers > 1)}"
            row = compare(catalog, Path(folder) / "data", excerpt, workers)
            print(
                f"{name:<22} {row.cpu:>7.1f} {f'{row.cpu_low:.1f} to {row.cpu_high:.1f}':>14} "
                f"{row.cpu_measured:>9.1f} {row.cpu / row.cpu_measured:>6.2f} "
                f"{row.bytes / 1e6:>7,.0f} {row.bytes_measured / 1e6:>9,.0f} {row.bytes / row.bytes_measured:>6.3f} "
                f"{row.wall:>7.1f} {row.wall_measured:>9.1f}"
            )
            ratios = {"cpu_ratio": row.cpu / row.cpu_measured, "bytes_ratio": row.bytes / row.bytes_measured}
            rows[name] = {**dataclasses.asdict(row), **ratios}
    write_results("estimate_error", {"sample": SAMPLE, "tracks": tracks, "rows": rows})


if __name__ == "__main__":
    main()
