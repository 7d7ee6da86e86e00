"""The tables of docs/capacity.md, from what was measured and simulated; the command prints the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.capacity_grid import (
    DEFAULT_MIB,
    SHARD_MIB,
    TRACKS,
    WORKER_MEMORY,
    Simulated,
    best_sizes,
    regret,
)
from benchmarks.capacity_runs import Held
from benchmarks.capacity_work import Measured

MARK = "<!-- `python -m benchmarks.capacity --docs docs` writes what is below, from its results. -->"


def write_page(page: Path, tables: str) -> None:
    """Replace what follows the mark in a page; raises ValueError if the page has no mark."""
    text = page.read_text(encoding="utf-8")
    if MARK not in text:
        raise ValueError(f"{page}: expected a line {MARK}")
    page.write_text(f"{text.partition(MARK)[0]}{MARK}\n\n{tables}", encoding="utf-8")


def tables_of(found: dict[str, Any], measured: Measured, built: list[Simulated], varied: dict[str, Simulated]) -> str:
    """All tables as Markdown.

    Args:
        found: What was measured, as the results hold it.
        measured: The same as the simulation takes it.
        built: The simulated builds.
        varied: One of them with one assumption changed at a time, the first as assumed.
    """
    base = next(iter(varied.values()))
    parts = (
        ("Measured", _measured(found, measured)),
        ("The model beside real builds", _held(found)),
        (f"Shards of {DEFAULT_MIB} MiB, the default", _builds(built)),
        ("Other sizes of shards", _sizes(built)),
        (f"One assumption changed: {base.tracks:,} tracks, {base.workers:,} workers", _variations(varied)),
    )
    return "\n".join(f"### {heading}\n\n{table}" for heading, table in parts)


def _measured(found: dict[str, Any], measured: Measured) -> str:
    tracks = measured.tracks
    memory = " and ".join(f"{count * measured.driver_memory_per_track / 1e9:,.0f} GB for {count:,}" for count in TRACKS)
    rows = (
        (
            "audio",
            f"stereo mp3 of {len(tracks)} lengths, {found['audio']}, {measured.sizes.mean() / 1e6:.1f} MB a track",
        ),
        ("machine", f"{found['cores']} cores, load {found['load']:.1f} when the measurements began"),
        ("30 s from the middle of a track", f"{tracks.mean():.3f} CPU s ({tracks.min():.3f} to {tracks.max():.3f})"),
        ("a shard without its tracks", f"{measured.shard * 1e3:.0f} ms"),
        ("starting a worker process", f"{measured.worker:.1f} CPU s"),
        (
            "planning, in the driver",
            f"{measured.plan_per_track * 1e6:.1f} µs a track, {measured.plan_per_shard * 1e6:.0f} µs a shard; {memory} tracks",
        ),
        (
            "opening the plan, in each worker",
            f"{measured.open_per_shard * 1e6:.1f} µs and {measured.plan_memory_per_shard / 1e3:.1f} kB a shard",
        ),
        ("closing a generation, in the driver", f"{measured.close_per_shard * 1e3:.1f} CPU ms a shard"),
    )
    return _table(("what", "cost"), rows)


def _held(found: dict[str, Any]) -> str:
    rows = (
        (
            f"{row.workers}",
            f"{row.wall_measured:.1f} s",
            f"{row.wall:.1f} s",
            f"{row.wall / row.wall_measured - 1:+.1%}",
            f"{row.cpu_measured:.1f} s",
            f"{row.cpu:.1f} s",
            f"{row.cpu / row.cpu_measured - 1:+.1%}",
            f"{row.others:.2f}",
        )
        for row in (Held(**row) for row in found["held"])
    )
    return _table(
        ("workers", "wall", "predicted", "error", "CPU", "predicted", "error", "cores that other work used"), rows
    )


def _builds(built: list[Simulated]) -> str:
    rows = (
        (
            f"{row.tracks:,}",
            f"{row.workers:,}",
            f"{row.shards:,}",
            _hours(row),
            f"${row.dollars:,.0f}",
            f"{row.efficiency:.0%}",
            _bound(row),
            f"{best.shard_mib:,} MiB, {_hours(best)}",
        )
        for best, row in best_sizes(built).values()
    )
    return _table(
        ("tracks", "workers", "shards", "time", "workers' price", "efficiency", "longest limit", "best size"), rows
    )


def _bound(row: Simulated) -> str:
    """The limit that alone would take longest, and its share of the time."""
    return f"{row.binds} ({row.bounds[row.binds] / row.seconds:.0%})"


def _sizes(built: list[Simulated]) -> str:
    rows = []
    for tracks in TRACKS:
        for size in SHARD_MIB[tracks]:
            row = next(row for row in built if (row.tracks, row.shard_mib) == (tracks, size))
            memory = f"{row.plan_gb:.2f} GB" if row.plan_gb >= 0.01 else "less than 0.01 GB"
            too_much = ", more than a worker asks for" if row.plan_gb * 1e9 > WORKER_MEMORY else ""
            name = f"{size:,} MiB{', the default' * (size == DEFAULT_MIB)}"
            cells = (name, f"{row.shards:,}", f"{row.shard_seconds:.0f} s", f"{regret(built, tracks, size):.0%}")
            rows.append((f"{tracks:,}", *cells, f"{memory}{too_much}"))
    return _table(
        ("tracks", "size", "shards", "a shard takes", "slower than the best, at most", "memory for the plan"), rows
    )


def _variations(varied: dict[str, Simulated]) -> str:
    base = next(iter(varied.values()))
    rows = (
        (name, _hours(row), f"{row.seconds / base.seconds:.2f}", f"${row.dollars:,.0f}", f"{row.lost:,}", _bound(row))
        for name, row in varied.items()
    )
    return _table(("what", "time", "ratio", "workers' price", "shards lost", "longest limit"), rows)


def _hours(row: Simulated) -> str:
    hours = row.seconds / 3600
    return f"{hours:,.0f} h" if hours >= 100 else f"{hours:.1f} h" if hours >= 2 else f"{hours * 60:.0f} min"


def _table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(line)} |\n" for line in (names, *rows))
    return f"{next(lines)}|{'---|' * len(names)}\n{''.join(lines)}"
