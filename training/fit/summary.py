"""The closing words of a training."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import training_command
from training.fit.init_from import words_of
from training.fit.train import TrainSummary


def train_report(summary: TrainSummary) -> Report:
    """Steps and speed, the best epoch, what was left out, and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: TrainSummary) -> Iterator[Line]:
    state = summary.state
    took = (
        f"{summary.trained_steps:,} steps in {summary.seconds:.0f} s, {summary.examples_per_second:.1f} examples/s, "
        f"{summary.input_wait:.1%} of the time waiting for data"
        if summary.trained_steps
        else "nothing left to do"
    )
    yield heading(f"{summary.out}: {took}")
    if isinstance(summary.epochs, int) and isinstance(state.best_epoch, int):
        position, best = f"{summary.epochs} epochs", f"epoch {state.best_epoch}"
    else:
        position, best = f"{state.step:,} steps, {summary.epochs:.2f} epochs", f"step {state.best_step:,}"
    yield Line(f"  {position} over {summary.tracks:,} tracks in all, best at {best}")
    if summary.removed:
        yield Line(f"  {summary.removed:,} labelled tracks were left out: they were removed from the dataset")
    if summary.started_from is not None:
        yield Line(f"  {words_of(summary.started_from)}")
    if summary.judged_by == "test":
        yield following(training_command("evaluate", "--run", summary.out))
    else:
        yield following(training_command("evaluate", "--run", summary.out, "--split", summary.judged_by))
