"""The closing words of an import."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.importers.outputs import ANNOTATIONS_FILE, CATALOG_FILE, LABEL_SET_FILE, ImportSummary
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command
from schemas.storage.files import join
from schemas.tables import SPLITS


def import_report(summary: ImportSummary) -> Report:
    """What was written, what was left out and why, and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: ImportSummary) -> Iterator[Line]:
    yield heading(
        f"{summary.out}: {summary.tracks:,} tracks, {summary.annotations:,} annotations, {summary.tags:,} tags, "
        f"{summary.groups:,} groups"
    )
    if any(summary.splits[side] for side in SPLITS):
        sides = ", ".join(f"{summary.splits[side]:,} {side}" for side in SPLITS)
        yield Line(f"  split: {sides}; {summary.splits['none']:,} tracks on no side")
    else:
        yield Line("  split: none is published in these files")
    if summary.label_set is not None:
        name, count = summary.label_set
        yield Line(f"  label set {name}: {count:,} tags in their published order")
    for remark in summary.remarks:
        yield Line(f"  {remark.what}: {remark.count:,}, such as {remark.example}")
    label_set = "FILE.yaml" if summary.label_set is None else join(summary.out, LABEL_SET_FILE)
    catalog, annotations = join(summary.out, CATALOG_FILE), join(summary.out, ANNOTATIONS_FILE)
    yield following(pipeline_command("build", "--catalog", catalog, "--dataset", "DATASET"))
    if summary.annotations:
        label = ("label", "--dataset", "DATASET", "--annotations", annotations, "--label-set", label_set)
        yield following(pipeline_command(*label), word="then")
