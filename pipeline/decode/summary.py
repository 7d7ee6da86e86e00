"""The closing words of a build."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.decode.build import BuildSummary
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command
from schemas.layout import generation_name


def build_report(summary: BuildSummary) -> Report:
    """Counts, rejects by cause, where the output lies and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: BuildSummary) -> Iterator[Line]:
    if summary.built:
        names = ", ".join(generation_name(generation) for generation in summary.built)
        yield heading(f"built {names} of {summary.dataset} in {summary.seconds:.1f} s")
    else:
        yield heading(f"{summary.dataset}: up to date, nothing to decode")
    yield Line(
        f"  tracks    {summary.tracks:,} of the catalog, {summary.records:,} stored ({summary.hours:.2f} h of audio)"
    )
    yield Line(f"  rejects   {sum(summary.rejects.values()):,}")
    for cause, count in summary.rejects.items():
        track, message = summary.examples[cause]
        yield Line(f"            {count:,} {cause}, such as {track}: {message}")
    if summary.under_way is not None:
        yield Line(f"  note      {summary.under_way}, of another catalog, and was left alone")
    if summary.removed:
        yield Line(
            f"  removed   {summary.removed:,} rows of the catalog are of tracks that were taken out, and stay out"
        )
    if summary.same_audio[0]:
        count, pair = summary.same_audio
        yield Line(
            f"  same      {count:,} tracks have the audio of another, such as {' and '.join(pair)}; splits keep them together"
        )
    for family, size in summary.bytes.items():
        yield Line(f"  {family:<9} {size / 1e6:,.1f} MB")
    label = ("label", "--dataset", summary.dataset, "--annotations", "FILE", "--label-set", "FILE.yaml")
    yield following(pipeline_command(*label))
