"""The closing words of laying a label set, and those of a comparison of two versions."""

from __future__ import annotations

from pipeline.labels.diff import LabelDiff
from pipeline.labels.overlay import LabelSummary
from pipeline.labels.splits import Split
from schemas.console.shown_commands import training_command
from schemas.console.terminal import say, say_json
from schemas.tables import SPLITS

SHOWN = 30  # tags listed; the rest are in vocabulary.txt, or in the comparison's JSON
_NAMED = 10  # tags named on one line


def print_straddling(split: Split | LabelSummary) -> None:
    """Print a warning of what lies on several sides of a split."""
    count, pair = split.straddling
    if count:
        say(f"  warning: {count:,} recordings lie on several sides under several ids, such as {' and '.join(pair)}")
    count, first = split.groups_apart
    if count:
        say(f"  warning: {count:,} groups (artists) lie on several sides, such as {first[0]}")


def print_label_summary(summary: LabelSummary, dataset: str) -> None:
    """Print the version, tags with their positives, what was left out, what changed, and what to type next."""
    state = "new version" if summary.is_new else "was there before"
    say(f"{summary.name}@{summary.version} over {dataset} ({state}), split {summary.split[0]}@{summary.split[1]}")
    _print_split(summary)
    counts = ", ".join(f"{summary.tracks[side]:,} {side}" for side in SPLITS)
    say(f"  tracks    {counts}; {summary.unlabelled:,} without any of the {len(summary.vocabulary):,} tags")
    width = max(len(tag) for tag in summary.vocabulary[:SHOWN])
    say(f"  {'tag':<{width}}  {'train':>8} {'validation':>10} {'test':>8}")
    for number, tag in enumerate(summary.vocabulary[:SHOWN]):
        row = [summary.positives[side][number] for side in SPLITS]
        say(f"  {tag:<{width}}  {row[0]:>8,} {row[1]:>10,} {row[2]:>8,}")
    if len(summary.vocabulary) > SHOWN:
        say(f"  … and {len(summary.vocabulary) - SHOWN:,} more in vocabulary.txt")
    for side in SPLITS:
        empty = [tag for tag, count in zip(summary.vocabulary, summary.positives[side], strict=True) if count == 0]
        if not summary.tracks[side]:
            say(f"  warning: there is no {side} track{_needed(side)}")
        elif empty:
            say(f"  warning: no positive {side} track for {len(empty):,} of the tags: {', '.join(empty)}")
    print_straddling(summary)
    _print_annotations(summary)
    if summary.not_compared:
        say(f"  not compared with the version before: {summary.not_compared}")
    if summary.diff is not None and summary.diff.before != summary.diff.after:
        print_diff(summary.diff)
    train = ("train", "--dataset", dataset, "--label-set", summary.name, "--frontend", "spectrogram", "--out", "RUN")
    say(f"next: {training_command(*train)}")


def print_empty_sides(split: Split) -> None:
    """Print a warning of sides without a track, and of what needs them."""
    for side in SPLITS:
        if not split.counts[side]:
            say(f"  warning: there is no {side} track{_needed(side)}")


def _needed(side: str) -> str:
    return "" if side == "test" else f": `train` refuses these labels, it needs a {side} side"


def _print_split(summary: LabelSummary) -> None:
    """Print what became of the split that the label set had, where that is not plain."""
    name, before, named = summary.split[0], summary.split_before, summary.split_of_file
    if before is not None and before != name:
        moved = "" if summary.diff is None else f" {summary.diff.tracks_moved:,} tracks changed sides,"
        say(
            f"  warning: the version before lies on the split {before}, this one on {name}:{moved} {summary.into_train:,} of "
            "validation or test are in train now; runs of the two are not judged by the same tracks"
        )
    elif named not in (None, name):
        say(
            f"  the split stays {name}; `split: {named}` in the file is for a first version: to change sides on purpose, add "
            f"--split {named}"
        )


def _print_annotations(summary: LabelSummary) -> None:
    if summary.foreign_tracks[0]:
        count, names = summary.foreign_tracks
        say(f"  {count:,} annotated tracks are not in the dataset, such as {', '.join(names)}")
    if summary.overruled:
        say(f"  {summary.overruled:,} annotations were overruled by an earlier file")
    if summary.repeated:
        say(f"  {summary.repeated:,} annotations were there twice and count once")
    if summary.raised:
        say(f"  {summary.raised:,} annotations of a tag were overruled by a positive child of it")
    if summary.made:
        say(f"  made by merge or hierarchy, in no annotation: {_some(summary.made)}")
    if summary.variants:
        pairs = [" = ".join(map(repr, group)) for group in summary.variants]
        say(f"  warning: {len(pairs):,} tags are spelt in several ways, which `merge` can join: {_some(pairs)}")


def print_diff(diff: LabelDiff) -> None:
    """Print what changed as a table."""
    say(f"{diff.before} -> {diff.after}")
    for setting, (old, new) in diff.settings.items():
        say(f"  {setting}: {old} -> {new}")
    if "missing" in diff.settings:
        say("  what a track is not annotated with means another thing now, for all tracks")
    for what, tags in (("added", diff.tags_added), ("removed", diff.tags_removed)):
        if tags:
            say(f"  {what}: {', '.join(tags)}")
    for what, names in (("renamed", diff.tags_renamed), ("merged", diff.tags_merged)):
        if names:
            say(f"  {what}: {', '.join(f'{old} -> {new}' for old, new in names.items())}")
    if diff.reordered:
        say("  the tags stand in another order")
    changed = sorted((tag for tag in diff.tags if tag.gained or tag.lost), key=lambda tag: -tag.gained - tag.lost)
    if changed:
        width = max(len(tag.tag) for tag in changed[:SHOWN])
        say(f"  {'tag':<{width}}  {'before':>9} {'after':>9} {'gained':>9} {'lost':>9}")
        for tag in changed[:SHOWN]:
            say(f"  {tag.tag:<{width}}  {tag.before:>9,} {tag.after:>9,} {tag.gained:>+9,} {-tag.lost:>+9,}")
        if len(changed) > SHOWN:
            say(f"  … and {len(changed) - SHOWN:,} more, which --json lists")
    say(
        f"  tracks: {diff.tracks_changed:,} of {diff.tracks:,} have other labels, {diff.tracks_moved:,} another side of "
        f"the split; {diff.tracks_added:,} came, {diff.tracks_removed:,} went"
    )


def print_diff_json(diff: LabelDiff) -> None:
    """Print what changed as JSON."""
    say_json(diff.to_dict(), indent=2)


def _some(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(words[:_NAMED]) + " …" * (len(words) > _NAMED)
