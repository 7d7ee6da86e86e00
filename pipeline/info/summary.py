"""The words that show an overview."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.info.dataset_facts import DatasetFacts, LabelSetFacts
from pipeline.info.findings import findings, merge_words
from pipeline.info.label_health import BINS, LabelHealth
from pipeline.info.overview import Overview
from schemas.console.report import Column, Line, Report, Table, following, heading, problem, widest
from schemas.console.shown_commands import pipeline_command
from schemas.tables import SPLITS
from schemas.user_files.text_lines import lines_of

_SHOWN = 30  # tags and pairs listed; the rest are in the page and in the JSON
_BAR = 40  # characters of the longest bar
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def info_report(overview: Overview) -> Report:
    """What the dataset holds, then each label version: what to look at, tags, near-synonyms, histograms."""
    return Report.of(_parts(overview))


def _parts(overview: Overview) -> Iterator[Line | Table]:
    first, *rest = _dataset_lines(overview.dataset)
    yield heading(first)
    yield from map(Line, rest)
    yield from map(problem, overview.problems)
    for health in overview.labels:
        yield Line("")
        yield from _health_parts(health)
    if not overview.dataset.label_sets:
        label = ("label", "--dataset", overview.dataset.root, "--annotations", "FILE", "--label-set", "FILE.yaml")
        yield following(pipeline_command(*label))


def info_fields(overview: Overview) -> dict[str, Any]:
    """All of it as JSON holds it; what deserves a look as sentences in `findings`."""
    labels = [{**dataclasses.asdict(health), "findings": findings(health)} for health in overview.labels]
    return {**dataclasses.asdict(overview), "labels": labels}


def _dataset_lines(facts: DatasetFacts) -> Iterator[str]:
    yield (
        f"{facts.root}: {facts.tracks:,} tracks, {facts.records:,} stored ({facts.hours:,.2f} h of audio) "
        f"of {facts.groups:,} groups"
    )
    causes = ", ".join(f"{count:,} {cause}" for cause, count in facts.rejects.items())
    yield f"  rejects   {sum(facts.rejects.values()):,}{f' ({causes})' if causes else ''}"
    yield f"  removed   {facts.removed:,}"
    yield f"  flags     {', '.join(f'{count:,} {flag}' for flag, count in facts.flags.items()) or 'none'}"
    sets, tracks, examples = facts.same_audio
    such = f", such as {' and '.join(examples[0][:2])}" if examples else ""
    yield f"  same      {f'{tracks:,} tracks share {sets:,} recordings{such}' if sets else 'no audio under two ids'}"
    for entry in facts.generations:
        yield (
            f"  gen-{entry.generation:03d}   {entry.tracks:,} tracks in {entry.shards:,} shards, {entry.records:,} stored"
        )
    if facts.under_way is not None:
        yield f"  note      {facts.under_way}; what was finished before it is shown"
    for features in facts.features:
        of = f", {features.generations} of {len(facts.generations)} generations" if features.derived else ""
        yield f"  features  {features.name}: {features.bytes / 1e6:,.1f} MB{', derived' * features.derived}{of}"
        yield f"            {features.words}"
    for split in facts.splits:
        counts = ", ".join(f"{count:,} {side}" for side, count in split.counts.items())
        rest = f", {split.without_side:,} stored tracks without a side" if split.without_side else ""
        yield f"  split     {split.name}@{split.versions[-1]} ({_versions(split.versions)}): {counts}{rest}; {split.made}"
    for label_set in facts.label_sets:
        yield from _label_set_lines(label_set)


def _label_set_lines(label_set: LabelSetFacts) -> Iterator[str]:
    yield f"  labels    {label_set.name}: {_versions(label_set.versions)}, oldest first"
    for number, version in enumerate(label_set.versions):
        newest = ", the newest" if number == len(label_set.versions) - 1 else ""
        what = f"{version.tags:,} tags, {version.tracks:,} tracks, {version.values}, split {version.split}"
        yield f"            {version.version}: {what if version.kept else 'pruned'}{newest}"


def _versions(versions: Sequence[object]) -> str:
    return f"{len(versions)} version{'s' * (len(versions) > 1)}"


def _health_parts(health: LabelHealth) -> Iterator[Line | Table]:
    kind = f"{health.values}, missing is {health.missing}, positive from {health.positive_at:g}"
    yield heading(f"{health.reference}: {len(health.tags):,} tags over the split {health.split} ({kind})")
    counts = ", ".join(f"{health.tracks[side]:,} {side} ({health.unlabelled[side]:,} unlabelled)" for side in SPLITS)
    rest = f"; {health.not_covered:,} stored ones are not listed" if health.not_covered else ""
    yield Line(f"  tracks    {counts}{rest}")
    found = findings(health)
    for finding in found:
        yield Line(f"  look at   {finding}")
    if not found:
        yield Line("  nothing odd was found")
    yield _tag_table(health)
    if len(health.tags) > _SHOWN:
        yield Line(_more(len(health.tags)))
    yield from _synonym_parts(health)
    yield Line("  labels per track")
    yield _bars(health.labels_per_track_bars)


def _more(count: int) -> str:
    return f"  … and {count - _SHOWN:,} more with --html FILE or --json"


def _tag_table(health: LabelHealth) -> Table:
    shown = health.tags[:_SHOWN]
    has_unknown = any(sum(tag.unknown.values()) for tag in health.tags)
    marked = {tag.tag for tag, _ in health.without_positive}
    columns = (
        Column("tag", widest([tag.tag for tag in shown])),
        Column("train", 9, right=True),
        Column("validation", 10, right=True, gap=" "),
        Column("test", 9, right=True, gap=" "),
        *[Column("unknown", 8, right=True, gap=" ")] * has_unknown,
        Column("share", 7, right=True, gap=" "),
        Column("artists", 8, right=True, gap=" "),
        Column("values 0 to 1" if health.values == "graded" else ""),
        Column(),
    )
    rows = [
        (
            tag.tag,
            *(f"{tag.positives[side]:,}" for side in SPLITS),
            *[f"{sum(tag.unknown.values()):,}"] * has_unknown,
            f"{tag.share:.2%}",
            f"{tag.artists:,}",
            "" if tag.histogram is None else _sparkline(tag.histogram),
            "no positive in a split" if tag.tag in marked else "",
        )
        for tag in shown
    ]
    return Table(columns, tuple(rows))


def _synonym_parts(health: LabelHealth) -> Iterator[Line | Table]:
    synonyms = health.synonyms
    if synonyms.pairs:
        columns = (
            Column("alike", 16),
            Column("both", 8, right=True, gap=" "),
            Column("first only", 10, right=True, gap=" "),
            Column("second only", 11, right=True, gap=" "),
            Column("Jaccard", 8, right=True, gap=" "),
            Column("tags"),
            Column(),
        )
        rows = (
            (
                pair.likeness or "same tracks",
                *(f"{count:,}" for count in (pair.both, *pair.only)),
                f"{pair.jaccard:.2f}",
                " | ".join(pair.tags),
                "merge" if pair.merge else "",
            )
            for pair in synonyms.pairs[:_SHOWN]
        )
        yield Table(columns, tuple(rows))
    if len(synonyms.pairs) > _SHOWN:
        yield Line(_more(len(synonyms.pairs)))
    if synonyms.yaml:
        yield Line(f"  {merge_words(health)}:")
        yield from (Line(f"      {line}") for line in lines_of(synonyms.yaml))


def _bars(bars: Sequence[tuple[str, int]]) -> Table:
    most = max((count for _, count in bars), default=0)
    rows = ((name, f"{count:,}", "█" * round(_BAR * count / most) if most else "") for name, count in bars)
    return Table((Column(width=5, right=True), Column(width=10, right=True, gap=" "), Column(gap=" ")), tuple(rows))


def _sparkline(histogram: Sequence[int]) -> str:
    """BINS characters, as high as the counts; a bin that is not empty is never blank."""
    most = max(max(histogram), 1)
    heights = [-(-count * (len(_HEIGHTS) - 1) // most) for count in histogram]
    return f"{''.join(_HEIGHTS[height] for height in heights):<{BINS}}"
