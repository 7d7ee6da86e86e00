"""The closing words of a build."""

from __future__ import annotations

from pipeline.decode.build import BuildSummary
from schemas.console.shown_commands import pipeline_command
from schemas.console.terminal import say
from schemas.layout import generation_name


def print_build_summary(summary: BuildSummary) -> None:
    """Print counts, rejects by cause, where the output lies and what to type next."""
    if summary.built:
        names = ", ".join(generation_name(generation) for generation in summary.built)
        say(f"built {names} of {summary.dataset} in {summary.seconds:.1f} s")
    else:
        say(f"{summary.dataset}: up to date, nothing to decode")
    say(f"  tracks    {summary.tracks:,} of the catalog, {summary.records:,} stored ({summary.hours:.2f} h of audio)")
    say(f"  rejects   {sum(summary.rejects.values()):,}")
    for cause, count in summary.rejects.items():
        track, message = summary.examples[cause]
        say(f"            {count:,} {cause}, such as {track}: {message}")
    if summary.under_way is not None:
        say(f"  note      {summary.under_way}, of another catalog, and was left alone")
    if summary.removed:
        say(f"  removed   {summary.removed:,} rows of the catalog are of tracks that were taken out, and stay out")
    if summary.same_audio[0]:
        count, pair = summary.same_audio
        say(
            f"  same      {count:,} tracks have the audio of another, such as {' and '.join(pair)}; splits keep them together"
        )
    for family, size in summary.bytes.items():
        say(f"  {family:<9} {size / 1e6:,.1f} MB")
    label = ("label", "--dataset", summary.dataset, "--annotations", "FILE", "--label-set", "FILE.yaml")
    say(f"next: {pipeline_command(*label)}")
