"""The closing words of an import."""

from __future__ import annotations

from pipeline.importers.outputs import ANNOTATIONS_FILE, CATALOG_FILE, LABEL_SET_FILE, ImportSummary
from schemas.console.shown_commands import pipeline_command
from schemas.console.terminal import say
from schemas.storage.files import join
from schemas.tables import SPLITS


def print_import_summary(summary: ImportSummary) -> None:
    """Print what was written, what was left out and why, and what to type next."""
    say(
        f"{summary.out}: {summary.tracks:,} tracks, {summary.annotations:,} annotations, {summary.tags:,} tags, "
        f"{summary.groups:,} groups"
    )
    if any(summary.splits[side] for side in SPLITS):
        sides = ", ".join(f"{summary.splits[side]:,} {side}" for side in SPLITS)
        say(f"  split: {sides}; {summary.splits['none']:,} tracks on no side")
    else:
        say("  split: none is published in these files")
    if summary.label_set is not None:
        name, count = summary.label_set
        say(f"  label set {name}: {count:,} tags in their published order")
    for remark in summary.remarks:
        say(f"  {remark.what}: {remark.count:,}, such as {remark.example}")
    label_set = "FILE.yaml" if summary.label_set is None else join(summary.out, LABEL_SET_FILE)
    catalog, annotations = join(summary.out, CATALOG_FILE), join(summary.out, ANNOTATIONS_FILE)
    say(f"next: {pipeline_command('build', '--catalog', catalog, '--dataset', 'DATASET')}")
    if summary.annotations:
        label = ("label", "--dataset", "DATASET", "--annotations", annotations, "--label-set", label_set)
        say(f"then: {pipeline_command(*label)}")
