"""The closing words of a removal, and those of pruning."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.removal.prune import PruneSummary
from pipeline.removal.remove import RemovalSummary
from pipeline.removal.tagged import TakenOut
from schemas.console.report import Line, Report, following, heading


def removal_report(summary: RemovalSummary, dataset: str) -> Report:
    """What was taken out, who held it, and what to do next."""
    return Report.of(_removal_parts(summary, dataset))


def prune_report(summary: PruneSummary, dataset: str, *, removed: bool) -> Report:
    """What a dataset no longer needs, or what of it was removed."""
    return Report.of(_prune_parts(summary, dataset, removed))


def _removal_parts(summary: RemovalSummary, dataset: str) -> Iterator[Line]:
    yield heading(f"{dataset}: {summary.removed:,} tracks removed, {summary.before:,} were removed before")
    if summary.unknown[0]:
        yield Line(
            f"  {summary.unknown[0]:,} of {summary.asked:,} ids are not in it, such as {', '.join(summary.unknown[1])}"
        )
    if summary.purged_payloads is not None:
        yield Line(
            f"  purged    {summary.purged_payloads:,} payloads rewritten; the others hold nothing of these tracks"
        )
    if summary.under_way is not None:
        yield Line(f"  note      {summary.under_way}: its build decodes none of these tracks any more")
    for version, counts in summary.labels.items():
        yield Line(
            f"  held by   label set {version}: " + ", ".join(f"{count:,} {side}" for side, count in counts.items())
        )
    for run in summary.runs:
        yield Line(f"  held by   run {run}, trained on one of these versions")
    for taken in summary.tags:
        yield _taken_line(taken)
    if summary.purged_payloads is None:
        yield following("the same command with --purge erases their features from the disk")
    elif summary.labels:
        yield following("lay the label sets again and train anew where the request asks for that")


def _taken_line(taken: TakenOut) -> Line:
    erased = "" if taken.files is None else f", and erased from {taken.files:,} files"
    return Line(f"  tags      {taken.tags}: {taken.tracks:,} of the tracks were taken out{erased}")


def taken_report(taken: TakenOut) -> Report:
    """What was taken out of tags alone."""
    return Report.of([_taken_line(taken)])


def _prune_parts(summary: PruneSummary, dataset: str, removed: bool) -> Iterator[Line]:
    for path in summary.paths:
        what = "removed" if removed else "would remove"
        yield Line(f"  {what} {path.uri} ({path.bytes / 1e6:,.1f} MB): {path.why}")
    for version, run in summary.kept_for_runs:
        yield Line(f"  kept labels {version}: the run {run} was trained on it")
    size = sum(path.bytes for path in summary.paths) / 1e6
    yield heading(f"{dataset}: {len(summary.paths):,} {'removed' if removed else 'to remove'}, {size:,.1f} MB")
    if summary.paths and not removed:
        yield following("the same command with --yes removes them")
