"""An overview as text for the terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.info.dataset_facts import DatasetFacts, LabelSetFacts
from pipeline.info.findings import findings, merge_words
from pipeline.info.label_health import BINS, LabelHealth
from pipeline.info.overview import Overview
from schemas.console.shown_commands import pipeline_command
from schemas.console.terminal import say, say_json
from schemas.tables import SPLITS
from schemas.user_files.text_lines import lines_of

_SHOWN = 30  # tags and pairs listed; the rest are in the page and in the JSON
_BAR = 40  # characters of the longest bar
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def print_overview(overview: Overview) -> None:
    """Print what the dataset holds, then each label version: what to look at, tags, near-synonyms, histograms."""
    say(*_dataset_lines(overview.dataset))
    for problem in overview.problems:
        say(f"  problem: {problem}")
    for health in overview.labels:
        say("", *_health_lines(health))
    if not overview.dataset.label_sets:
        label = ("label", "--dataset", overview.dataset.root, "--annotations", "FILE", "--label-set", "FILE.yaml")
        say(f"next: {pipeline_command(*label)}")


def print_json(overview: Overview) -> None:
    """Print all of it as one JSON object; what deserves a look as sentences in `findings`."""
    labels = [{**dataclasses.asdict(health), "findings": findings(health)} for health in overview.labels]
    fields: dict[str, Any] = {**dataclasses.asdict(overview), "labels": labels}
    say_json(fields, indent=2, sort_keys=True)


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


def _health_lines(health: LabelHealth) -> Iterator[str]:
    kind = f"{health.values}, missing is {health.missing}, positive from {health.positive_at:g}"
    yield f"{health.reference}: {len(health.tags):,} tags over the split {health.split} ({kind})"
    counts = ", ".join(f"{health.tracks[side]:,} {side} ({health.unlabelled[side]:,} unlabelled)" for side in SPLITS)
    rest = f"; {health.not_covered:,} stored ones are not listed" if health.not_covered else ""
    yield f"  tracks    {counts}{rest}"
    found = findings(health)
    for finding in found:
        yield f"  look at   {finding}"
    if not found:
        yield "  nothing odd was found"
    yield from _tag_lines(health)
    yield from _synonym_lines(health)
    yield "  labels per track"
    yield from _bars(health.labels_per_track_bars)


def _tag_lines(health: LabelHealth) -> Iterator[str]:
    shown = health.tags[:_SHOWN]
    width = max(len(tag.tag) for tag in shown)
    has_unknown = any(sum(tag.unknown.values()) for tag in health.tags)
    graded = health.values == "graded"
    yield (
        f"  {'tag':<{width}}  {'train':>9} {'validation':>10} {'test':>9}{'  unknown' if has_unknown else ''} {'share':>7}"
        f" {'artists':>8}{'  values 0 to 1' if graded else ''}"
    )
    marked = {tag.tag for tag, _ in health.without_positive}
    for tag in shown:
        cells = [f"{tag.positives[side]:,}" for side in SPLITS]
        unknown = f" {sum(tag.unknown.values()):>8,}" if has_unknown else ""
        values = f"  {_sparkline(tag.histogram)}" if tag.histogram is not None else ""
        yield (
            f"  {tag.tag:<{width}}  {cells[0]:>9} {cells[1]:>10} {cells[2]:>9}{unknown} {tag.share:>7.2%} {tag.artists:>8,}"
            f"{values}{'  no positive in a split' if tag.tag in marked else ''}"
        )
    if len(health.tags) > _SHOWN:
        yield f"  … and {len(health.tags) - _SHOWN:,} more with --html FILE or --json"


def _synonym_lines(health: LabelHealth) -> Iterator[str]:
    synonyms = health.synonyms
    if synonyms.pairs:
        yield f"  {'alike':<16} {'both':>8} {'first only':>10} {'second only':>11} {'Jaccard':>8}  tags"
    for pair in synonyms.pairs[:_SHOWN]:
        likeness = pair.likeness or "same tracks"
        yield (
            f"  {likeness:<16} {pair.both:>8,} {pair.only[0]:>10,} {pair.only[1]:>11,} {pair.jaccard:>8.2f}  "
            f"{' | '.join(pair.tags)}{'  merge' if pair.merge else ''}"
        )
    if len(synonyms.pairs) > _SHOWN:
        yield f"  … and {len(synonyms.pairs) - _SHOWN:,} more with --html FILE or --json"
    if synonyms.yaml:
        yield f"  {merge_words(health)}:"
        yield from (f"      {line}" for line in lines_of(synonyms.yaml))


def _bars(bars: Sequence[tuple[str, int]]) -> Iterator[str]:
    most = max((count for _, count in bars), default=0)
    for name, count in bars:
        yield f"  {name:>5} {count:>10,} {'█' * round(_BAR * count / most) if most else ''}".rstrip()


def _sparkline(histogram: Sequence[int]) -> str:
    """BINS characters, as high as the counts; a bin that is not empty is never blank."""
    most = max(max(histogram), 1)
    heights = [-(-count * (len(_HEIGHTS) - 1) // most) for count in histogram]
    return f"{''.join(_HEIGHTS[height] for height in heights):<{BINS}}"
