"""The closing words of an export, and those of each tagged file."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from schemas.console.printer import print_fields, print_report
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import training_command
from schemas.console.terminal import say
from training.serving.export import ExportSummary
from training.serving.tag import TaggedFile

SHOWN_TAGS = 5  # highest scores printed per file


def export_report(summary: ExportSummary) -> Report:
    """What the SavedModel does, and what to type next."""
    return Report.of(_export_parts(summary))


def print_tagged(one: TaggedFile, *, as_json: bool) -> None:
    """Print what a file is tagged with; why it could not be tagged goes to stderr, unless it is printed as JSON."""
    if as_json:
        print_fields({"file": one.file, "seconds": one.seconds, "scores": one.scores, "problem": one.problem})
    elif one.problem is not None:
        say(f"{one.file}: not tagged: {one.problem}", file=sys.stderr, level="error")
    else:
        top = ", ".join(f"{tag} {score:.2f}" for tag, score in list(one.scores.items())[:SHOWN_TAGS])
        print_report(Report.of([Line(f"{one.file} ({one.seconds:.1f} s): {top}")]))


def _export_parts(summary: ExportSummary) -> Iterator[Line]:
    yield heading(
        f"{summary.out}: {summary.tags} tags, patches of {summary.patch_seconds:g} s, epoch {summary.epoch}, "
        f"{summary.bytes / 1e6:.1f} MB"
    )
    yield following(training_command("tag", "--model", summary.out, "FILE"))
