"""The closing words of laying a label set."""

from __future__ import annotations

from pipeline.labels.overlay import LabelSummary
from schemas.tables import SPLITS

SHOWN = 30  # tags listed; the rest are in vocabulary.txt


def straddling_words(straddling: tuple[int, tuple[str, ...]]) -> str:
    """What `Split.straddling` says."""
    count, pair = straddling
    return f"{count:,} recordings lie on several sides under several ids, such as {' and '.join(pair)}"


def print_label_summary(summary: LabelSummary, dataset: str) -> None:
    """Print the version, tags with their positives, what was left out, and what to type next."""
    state = "new version" if summary.is_new else "was there before"
    print(f"{summary.name}@{summary.version} over {dataset} ({state}), split {summary.split[0]}@{summary.split[1]}")
    counts = ", ".join(f"{summary.tracks[side]:,} {side}" for side in SPLITS)
    print(f"  tracks    {counts}; {summary.unlabelled:,} without any of the {len(summary.vocabulary)} tags")
    width = max(len(tag) for tag in summary.vocabulary[:SHOWN])
    print(f"  {'tag':<{width}}  {'train':>8} {'validation':>10} {'test':>8}")
    for number, tag in enumerate(summary.vocabulary[:SHOWN]):
        row = [summary.positives[side][number] for side in SPLITS]
        print(f"  {tag:<{width}}  {row[0]:>8,} {row[1]:>10,} {row[2]:>8,}")
    if len(summary.vocabulary) > SHOWN:
        print(f"  … and {len(summary.vocabulary) - SHOWN} more in vocabulary.txt")
    for side in SPLITS:
        empty = [tag for tag, count in zip(summary.vocabulary, summary.positives[side], strict=True) if count == 0]
        if not summary.tracks[side]:
            print(f"  warning: the split has no {side} track")
        elif empty:
            print(f"  warning: no positive {side} track for {', '.join(empty[:10])}{' …' * (len(empty) > 10)}")
    if summary.straddling[0]:
        print(f"  warning: {straddling_words(summary.straddling)}")
    if summary.foreign_tracks[0]:
        count, names = summary.foreign_tracks
        print(f"  {count:,} annotated tracks are not in the dataset, such as {', '.join(names)}")
    if summary.overruled:
        print(f"  {summary.overruled:,} annotations were overruled by an earlier file")
    for what, tags in (("added", summary.tags_added), ("removed", summary.tags_removed)):
        if tags:
            print(f"  {what} since the version before: {', '.join(tags)}")
    print(
        f"next: python training/run.py train --dataset {dataset} --label-set {summary.name} --frontend spectrogram "
        "--out RUN"
    )
