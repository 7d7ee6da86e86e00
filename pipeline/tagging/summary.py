"""The closing words of a tagging."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.tagging.tag import TagSummary
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command
from schemas.layout import generation_name


def tag_report(summary: TagSummary) -> Report:
    """Counts, rejects by cause, where the output lies and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: TagSummary) -> Iterator[Line]:
    if summary.built:
        names = ", ".join(generation_name(generation) for generation in summary.built)
        yield heading(f"tagged {names} of {summary.out} in {summary.seconds:.1f} s")
    else:
        yield heading(f"{summary.out}: up to date, nothing to score")
    yield Line(f"  tracks    {summary.tracks:,}, {summary.records:,} scored ({summary.hours:.2f} h of audio)")
    yield Line(f"  rejects   {sum(summary.rejects.values()):,}")
    for cause, count in summary.rejects.items():
        track, message = summary.examples[cause]
        yield Line(f"            {count:,} {cause}, such as {track}: {message}")
    embedding = f" and an embedding of {summary.embedding}" if summary.embedding else ""
    yield Line(f"  scores    {summary.tags:,} tags{embedding} of each track, by {summary.model}")
    if summary.embeddings is not None:
        yield Line(f"            by its head alone, for the mean embeddings in {summary.embeddings}")
    if summary.built:
        yield Line(f"  size      {summary.bytes / 1e6:,.1f} MB")
    yield following(pipeline_command("verify", "--tags", summary.out))
