"""The closing words of rendering a corpus."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.corpus.render import CorpusSummary
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command


def corpus_report(summary: CorpusSummary) -> Report:
    """What was rendered, which tags it has, and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: CorpusSummary) -> Iterator[Line]:
    formats = ", ".join(f"{count} {name}" for name, count in summary.formats.items())
    state = "complete already" if summary.existed else "rendered"
    made = summary.parameters
    yield heading(f"{summary.out}: {state}: {made.tracks:,} tracks of {made.seconds:g} s ({formats})")
    tags = ", ".join(f"{tag} {count}" for tag, count in summary.tags.items())
    yield Line(f"  {summary.artists} artists, {len(summary.tags)} tags: {tags}")
    catalog = f"{summary.out}/catalog.csv"
    yield following(pipeline_command("build", "--catalog", catalog, "--dataset", "DATASET"))
