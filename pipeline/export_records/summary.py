"""The closing words of an export."""

from __future__ import annotations

from pipeline.export_records.export import SUMMARY_NAME, ExportSummary
from schemas.console.terminal import say


def print_export_summary(summary: ExportSummary) -> None:
    """Print what the export holds, what it leaves out, and how to read it."""
    state = "complete already" if summary.existed else "written"
    counts = ", ".join(f"{count:,} {side}" for side, count in summary.records.items())
    say(f"{summary.out}: {state}: {counts} records in {summary.files:,} files, {summary.bytes / 1e6:,.1f} MB")
    say(f"  labels    {summary.label_set}")
    say(f"  features  {', '.join(summary.features)}")
    if summary.removed:
        say(f"  {summary.removed:,} labelled tracks were left out: they were removed from the dataset")
    if summary.unlabelled:
        say(f"  {summary.unlabelled:,} tracks of the dataset were left out: the label version does not hold them")
    say(f"next: read {summary.out}/train/*.tfrecord; {summary.out}/{SUMMARY_NAME} says what a record holds")
