"""The closing words of making a split and of laying a label set, and those of a comparison of two versions."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.labels.diff import LabelDiff, TagDiff
from pipeline.labels.overlay import LabelSummary
from pipeline.labels.splits import Split
from schemas.console.report import Column, Line, Report, Table, following, heading, warning, widest
from schemas.console.shown_commands import pipeline_command, training_command
from schemas.tables import SPLITS

SHOWN = 30  # tags listed; the rest are in vocabulary.txt, or in the comparison's JSON
_NAMED = 10  # tags named on one line


def split_report(split: Split, dataset: str) -> Report:
    """Tracks of each side, what is odd about them, and what to type next."""
    return Report.of(_split_parts(split, dataset))


def label_report(summary: LabelSummary, dataset: str) -> Report:
    """The version, tags with their positives, what was left out, what changed, and what to type next."""
    return Report.of(_label_parts(summary, dataset))


def diff_report(diff: LabelDiff) -> Report:
    """What changed from one version to another, with a table of the tags."""
    return Report.of(_diff_parts(diff))


def _split_parts(split: Split, dataset: str) -> Iterator[Line]:
    counts = ", ".join(f"{count:,} {side}" for side, count in split.counts.items())
    yield heading(f"split {split.name}@{split.version}: {counts}")
    for side in SPLITS:
        if not split.counts[side]:
            yield _empty_side(side)
    yield from _straddling(split)
    label = ("label", "--dataset", dataset, "--split", split.name, "--annotations", "FILE", "--label-set", "FILE.yaml")
    yield following(pipeline_command(*label))


def _straddling(split: Split | LabelSummary) -> Iterator[Line]:
    """What lies on several sides of a split."""
    count, pair = split.straddling
    if count:
        yield warning(f"{count:,} recordings lie on several sides under several ids, such as {' and '.join(pair)}")
    count, first = split.groups_apart
    if count:
        yield warning(f"{count:,} groups (artists) lie on several sides, such as {first[0]}")


def _label_parts(summary: LabelSummary, dataset: str) -> Iterator[Line | Table]:
    state = "new version" if summary.is_new else "was there before"
    split = "@".join(summary.split)
    yield heading(f"{summary.name}@{summary.version} over {dataset} ({state}), split {split}")
    yield from _split_lines(summary)
    counts = ", ".join(f"{summary.tracks[side]:,} {side}" for side in SPLITS)
    yield Line(f"  tracks    {counts}; {summary.unlabelled:,} without any of the {len(summary.vocabulary):,} tags")
    yield _tag_table(summary)
    if len(summary.vocabulary) > SHOWN:
        yield Line(f"  … and {len(summary.vocabulary) - SHOWN:,} more in vocabulary.txt")
    for side in SPLITS:
        empty = [tag for tag, count in zip(summary.vocabulary, summary.positives[side], strict=True) if count == 0]
        if not summary.tracks[side]:
            yield _empty_side(side)
        elif empty:
            yield warning(f"no positive {side} track for {len(empty):,} of the tags: {', '.join(empty)}")
    yield from _straddling(summary)
    yield from _annotation_lines(summary)
    if summary.not_compared:
        yield Line(f"  not compared with the version before: {summary.not_compared}")
    if summary.diff is not None and summary.diff.before != summary.diff.after:
        yield from _diff_parts(summary.diff)
    train = ("train", "--dataset", dataset, "--label-set", summary.name, "--frontend", "spectrogram", "--out", "RUN")
    yield following(training_command(*train))


def _tag_table(summary: LabelSummary) -> Table:
    shown = summary.vocabulary[:SHOWN]
    columns = (
        Column("tag", widest(shown)),
        Column("train", 8, right=True),
        Column("validation", 10, right=True, gap=" "),
        Column("test", 8, right=True, gap=" "),
    )
    rows = [(tag, *(f"{summary.positives[side][number]:,}" for side in SPLITS)) for number, tag in enumerate(shown)]
    return Table(columns, tuple(rows))


def _empty_side(side: str) -> Line:
    """That a side has no track, and what needs it."""
    needed = "" if side == "test" else f": `train` refuses these labels, it needs a {side} side"
    return warning(f"there is no {side} track{needed}")


def _split_lines(summary: LabelSummary) -> Iterator[Line]:
    """What became of the split that the label set had, where that is not plain."""
    name, before, named = summary.split[0], summary.split_before, summary.split_of_file
    if before is not None and before != name:
        moved = "" if summary.diff is None else f" {summary.diff.tracks_moved:,} tracks changed sides,"
        yield warning(
            f"the version before lies on the split {before}, this one on {name}:{moved} {summary.into_train:,} of "
            "validation or test are in train now; runs of the two are not judged by the same tracks"
        )
    elif named not in (None, name):
        yield Line(
            f"  the split stays {name}; `split: {named}` in the file is for a first version: to change sides on purpose, add "
            f"--split {named}"
        )


def _annotation_lines(summary: LabelSummary) -> Iterator[Line]:
    if summary.foreign_tracks[0]:
        count, names = summary.foreign_tracks
        yield Line(f"  {count:,} annotated tracks are not in the dataset, such as {', '.join(names)}")
    if summary.overruled:
        yield Line(f"  {summary.overruled:,} annotations were overruled by an earlier file")
    if summary.repeated:
        yield Line(f"  {summary.repeated:,} annotations were there twice and count once")
    if summary.raised:
        yield Line(f"  {summary.raised:,} annotations of a tag were overruled by a positive child of it")
    if summary.made:
        yield Line(f"  made by merge or hierarchy, in no annotation: {_some(summary.made)}")
    if summary.variants:
        pairs = [" = ".join(map(repr, group)) for group in summary.variants]
        yield warning(f"{len(pairs):,} tags are spelt in several ways, which `merge` can join: {_some(pairs)}")


def _diff_parts(diff: LabelDiff) -> Iterator[Line | Table]:
    yield heading(f"{diff.before} -> {diff.after}")
    for setting, (old, new) in diff.settings.items():
        yield Line(f"  {setting}: {old} -> {new}")
    if "missing" in diff.settings:
        yield Line("  what a track is not annotated with means another thing now, for all tracks")
    for what, tags in (("added", diff.tags_added), ("removed", diff.tags_removed)):
        if tags:
            yield Line(f"  {what}: {', '.join(tags)}")
    for what, names in (("renamed", diff.tags_renamed), ("merged", diff.tags_merged)):
        if names:
            yield Line(f"  {what}: {', '.join(f'{old} -> {new}' for old, new in names.items())}")
    if diff.reordered:
        yield Line("  the tags stand in another order")
    changed = sorted((tag for tag in diff.tags if tag.gained or tag.lost), key=lambda tag: -tag.gained - tag.lost)
    if changed:
        yield _diff_table(changed[:SHOWN])
        if len(changed) > SHOWN:
            yield Line(f"  … and {len(changed) - SHOWN:,} more, which --json lists")
    yield Line(
        f"  tracks: {diff.tracks_changed:,} of {diff.tracks:,} have other labels, {diff.tracks_moved:,} another side of "
        f"the split; {diff.tracks_added:,} came, {diff.tracks_removed:,} went"
    )


def _diff_table(changed: list[TagDiff]) -> Table:
    first = Column("before", 9, right=True)
    rest = (Column(title, 9, right=True, gap=" ") for title in ("after", "gained", "lost"))
    rows = ((tag.tag, f"{tag.before:,}", f"{tag.after:,}", f"{tag.gained:+,}", f"{-tag.lost:+,}") for tag in changed)
    return Table((Column("tag", widest([tag.tag for tag in changed])), first, *rest), tuple(rows))


def _some(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(words[:_NAMED]) + " …" * (len(words) > _NAMED)
