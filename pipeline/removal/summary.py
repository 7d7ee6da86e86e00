"""The closing words of a removal."""

from __future__ import annotations

from pipeline.removal.remove import RemovalSummary
from schemas.console.terminal import say


def print_removal_summary(summary: RemovalSummary, dataset: str) -> None:
    """Print what was taken out, who held it, and what to do next."""
    say(f"{dataset}: {summary.removed:,} tracks removed, {summary.before:,} were removed before")
    if summary.unknown[0]:
        say(f"  {summary.unknown[0]:,} of {summary.asked:,} ids are not in it, such as {', '.join(summary.unknown[1])}")
    if summary.purged_payloads is not None:
        say(f"  purged    {summary.purged_payloads:,} payloads rewritten; the others hold nothing of these tracks")
    if summary.under_way is not None:
        say(f"  note      {summary.under_way}: its build decodes none of these tracks any more")
    for version, counts in summary.labels.items():
        say(f"  held by   label set {version}: " + ", ".join(f"{count:,} {side}" for side, count in counts.items()))
    for run in summary.runs:
        say(f"  held by   run {run}, trained on one of these versions")
    if summary.purged_payloads is None:
        say("next: the same command with --purge erases their features from the disk")
    elif summary.labels:
        say("next: lay the label sets again and train anew where the request asks for that")
