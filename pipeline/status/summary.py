"""The words and the JSON that show how far a job is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.status.status import Work
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command


def status_report(root: str, works: Sequence[Work]) -> Report:
    """A line for each generation, and what to do next."""
    return Report.of(_parts(root, works))


def status_fields(root: str, works: Sequence[Work]) -> dict[str, Any]:
    """The same as JSON holds it."""
    fields = [{**dataclasses.asdict(work), "seconds_left": work.seconds_left} for work in works]
    return {"folder": root, "complete": all(work.complete for work in works), "work": fields}


def _parts(root: str, works: Sequence[Work]) -> Iterator[Line]:
    left = [work for work in works if not work.complete]
    yield heading(f"{root}: {'under way' if left else 'complete'}" if works else f"{root}: nothing is planned yet")
    for work in works:
        yield Line(f"  {work.what:<10} {_words(work)}")
    for work in left:
        if work.done == work.shards:
            yield following(
                f"{work.what} is written; the same `{pipeline_command(work.made_by)}` command again completes it"
            )


def _words(work: Work) -> str:
    if work.complete:
        return f"complete: {work.tracks:,} tracks in {work.shards:,} shards"
    share = work.tracks_done / work.tracks if work.tracks else 1.0
    words = f"{share:.0%}: {work.done:,} of {work.shards:,} shards, {work.tracks_done:,} of {work.tracks:,} tracks"
    if work.last_mark is None:
        return f"{words}; no shard is finished yet"
    words += f"; the last was finished {_duration(work.last_mark)} ago"
    if work.seconds_left is None or work.done == work.shards:
        return words
    return f"{words}; {work.tracks_per_second:,.1f} tracks/s, {_duration(work.seconds_left)} left at that rate"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.0f} s"
