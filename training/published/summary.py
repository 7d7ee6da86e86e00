"""The closing words of an import."""

from __future__ import annotations

from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import training_command
from training.published.import_weights import ImportSummary


def import_report(summary: ImportSummary) -> Report:
    """What was written, and what to type next."""
    model = summary.exported
    return Report.of(
        [
            heading(
                f"{model.out}: {summary.model}, trained on {summary.data}, {model.tags} tags, patches of "
                f"{model.patch_seconds:g} s, {model.bytes / 1e6:.1f} MB"
            ),
            Line(f"  {summary.run}: its weights as a run, for `evaluate`, `export` and `train --init-from`"),
            following(training_command("tag", "--model", model.out, "FILE")),
        ]
    )
