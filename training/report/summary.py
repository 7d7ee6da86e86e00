"""The closing words of writing a run's page."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import training_command
from training.report.page import Report as RunPage


def page_report(page: RunPage, run: str) -> Report:
    """What the page shows, and what to type where something is missing.

    Args:
        page: what was written.
        run: folder of the run.
    """
    return Report.of(_parts(page, run))


def _parts(page: RunPage, run: str) -> Iterator[Line]:
    shown = f"with its evaluation on the {page.split} split" if page.split else "not evaluated yet"
    yield heading(f"{page.uri}: {page.bytes / 1e3:,.0f} kB, {shown}")
    if not page.has_tracks:
        yield Line("  without examples and confusions, which need the scores of single tracks")
        yield following(training_command("evaluate", "--run", run, "--split", page.split or "test"))
