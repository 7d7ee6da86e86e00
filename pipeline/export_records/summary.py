"""The closing words of an export."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.export_records.export import SUMMARY_NAME, ExportSummary
from schemas.console.report import Line, Report, following, heading


def export_report(summary: ExportSummary) -> Report:
    """What the export holds, what it leaves out, and how to read it."""
    return Report.of(_parts(summary))


def _parts(summary: ExportSummary) -> Iterator[Line]:
    state = "complete already" if summary.existed else "written"
    counts = ", ".join(f"{count:,} {side}" for side, count in summary.records.items())
    yield heading(f"{summary.out}: {state}: {counts} records in {summary.files:,} files, {summary.bytes / 1e6:,.1f} MB")
    yield Line(f"  labels    {summary.label_set}")
    yield Line(f"  features  {', '.join(summary.features)}")
    if summary.removed:
        yield Line(f"  {summary.removed:,} labelled tracks were left out: they were removed from the dataset")
    if summary.unlabelled:
        yield Line(
            f"  {summary.unlabelled:,} tracks of the dataset were left out: the label version does not hold them"
        )
    yield following(f"read {summary.out}/train/*.tfrecord; {summary.out}/{SUMMARY_NAME} says what a record holds")
