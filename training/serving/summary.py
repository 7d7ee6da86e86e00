"""The closing words of an export, and those of each tagged file."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from schemas.console.printer import print_fields, print_report
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command, training_command
from schemas.console.terminal import say
from schemas.model_forms import FORM_NAMES
from training.serving.calibration import CalibrationFit
from training.serving.export import ExportSummary
from training.serving.saved_model import SavedModel
from training.serving.tag import TaggedFile

SHOWN_TAGS = 5  # highest scores printed per file, unless another number is asked for


def export_report(summary: ExportSummary) -> Report:
    """What the model does, and what to type next."""
    return Report.of(_export_parts(summary))


def print_tagged(one: TaggedFile, model: SavedModel, *, as_json: bool, top: int | None = None) -> None:
    """Print what a file is tagged with; why it could not be tagged goes to stderr, unless it is printed as JSON.

    Where the model has thresholds, each score is shown beside that of its tag.

    Args:
        one: the file.
        model: what scored it.
        as_json: print a JSON object.
        top: how many of the highest scores are shown [default: `SHOWN_TAGS`, and all as JSON].
    """
    if as_json:
        scores = dict(list(one.scores.items())[:top])
        fields = {"file": one.file, "seconds": one.seconds, "scores": scores, "problem": one.problem}
        if model.thresholds:
            fields["assigned"] = list(one.assigned or ())
        print_fields(fields)
    elif one.problem is not None:
        say(f"{one.file}: not tagged: {one.problem}", file=sys.stderr, level="error")
    else:
        highest = list(one.scores.items())[: top or SHOWN_TAGS]
        shown = ", ".join(
            f"{tag} {score:.2f}{_beside(tag in (one.assigned or ()), model.thresholds.get(tag))}"
            for tag, score in highest
        )
        print_report(Report.of([Line(f"{one.file} ({one.seconds:.1f} s): {shown}")]))


def _beside(is_assigned: bool, threshold: float | None) -> str:
    if threshold is None:
        return ""
    return f" ({'≥' if is_assigned else '<'} {threshold:.2f})"


def _calibration_parts(fit: CalibrationFit) -> Iterator[Line]:
    yield Line(
        f"  calibrated on {fit.tracks:,} validation tracks: expected calibration error {fit.before.error:.3f} -> "
        f"{fit.after.error:.3f}, log loss {fit.before.log_loss:.3f} -> {fit.after.log_loss:.3f}, "
        "on tracks that the fit had not seen"
    )
    for tag, reason in fit.left.items():
        yield Line(f"  {tag}: left as it is, since {reason}")


def _epochs(epochs: tuple[int, ...]) -> str:
    if len(epochs) == 1:
        return f"epoch {epochs[0]}" if epochs[0] else "imported weights"
    return f"an ensemble of {len(epochs)} runs at epochs {', '.join(map(str, epochs))}"


def _export_parts(summary: ExportSummary) -> Iterator[Line]:
    precision = "" if summary.precision == "float32" else f", computes in {summary.precision}"
    yield heading(
        f"{summary.out}: {FORM_NAMES[summary.form]}, {summary.tags} tags, patches of {summary.patch_seconds:g} s, "
        f"{_epochs(summary.epochs)}, {summary.bytes / 1e6:.1f} MB{precision}"
    )
    if summary.weights is not None:
        cost = summary.weights
        yield Line(
            f"  {cost.weights} weights: PR-AUC (macro) {cost.before:.4f} -> {cost.after:.4f} on {cost.tracks:,} of "
            f"{cost.of_tracks:,} validation tracks"
        )
    if summary.calibration is not None:
        yield from _calibration_parts(summary.calibration)
    if summary.form == "savedmodel":
        yield following(training_command("tag", "--model", summary.out, "FILE"))
    elif summary.form == "onnx":
        words = ("--runtime", "onnx", "--model", summary.out, "--catalog", "catalog.csv", "--out", "tags")
        yield following(pipeline_command("tag", *words))
    else:
        yield Line("docs/export.md shows how a program runs it")
