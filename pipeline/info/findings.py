"""Report what deserves attention in a label version, one sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.info.label_health import ONE_ARTIST_SHARE, LabelHealth
from schemas.tables import SPLITS

_NAMED = 5  # tags or tracks in a sentence


def findings(health: LabelHealth) -> list[str]:
    """Oddities of the labels, the most serious first; empty if there are none."""
    total = sum(health.tracks.values())
    found = [f"the split has no {side} track" for side in SPLITS if not health.tracks[side]]
    without = health.without_positive
    if without:
        named = [f"{tag.tag} ({' and '.join(sides)})" for tag, sides in without]
        found.append(f"{_tags(len(without), 'has', 'have')} no positive in a split: {_first(named)}")
    if health.of_one_artist:
        whose = _first([f"{tag.tag} ({tag.biggest_artist})" for tag in health.of_one_artist])
        found.append(f"{_tags(len(health.of_one_artist), 'comes', 'come')} from one artist only: {whose}")
    if health.of_one_artist_but_for_one_split:
        tags = health.of_one_artist_but_for_one_split
        named = [f"{tag.tag} ({' and '.join(tag.one_artist_splits)})" for tag in tags]
        found.append(f"{_tags(len(tags), 'comes', 'come')} from one artist in all splits but one: {_first(named)}")
    if health.mostly_of_one_artist:
        tags = health.mostly_of_one_artist
        whose = _first([f"{tag.tag} ({tag.biggest_artist}, {tag.biggest_share:.0%})" for tag in tags])
        verb = _tags(len(tags), "has", "have")
        found.append(f"{verb} more than {ONE_ARTIST_SHARE:.0%} of the positives from one artist: {whose}")
    merges = health.synonyms.merge
    if merges:
        count = sum(map(len, merges.values()))
        named = [f"{', '.join(sources)} with {target}" for target, sources in merges.items()]
        found.append(f"{_tags(count, 'looks', 'look')} like another one: {_first(named, '; ')}")
    unlabelled = sum(health.unlabelled.values())
    if unlabelled:
        ids = [name for side in SPLITS for name in health.unlabelled_ids[side]]
        tracks = f"{unlabelled:,} track{'s' * (unlabelled > 1)} ({unlabelled / total:.2%})"
        found.append(f"{tracks} without any of the tags, such as {_first(ids, more=False)}")
    covered, generations = health.generations
    if covered < generations:
        found.append(
            f"laid over {covered} of {generations} generations; lay the label set again to cover the newer tracks"
        )
    if health.removed:
        found.append(f"{health.removed:,} of its tracks were removed from the dataset since, and are not counted here")
    return found


def merge_words(health: LabelHealth) -> str:
    """What to do with the suggested merge."""
    drop = ", ".join(health.synonyms.drop_from_tags)
    name = health.reference.partition("@")[0]
    return (
        f"a merge to consider, in the file of the label set {name}{f', with {drop} taken out of its tags' * bool(drop)}"
    )


def _tags(count: int, one: str, several: str) -> str:
    return f"1 tag {one}" if count == 1 else f"{count:,} tags {several}"


def _first(names: Sequence[str], between: str = ", ", *, more: bool = True) -> str:
    rest = len(names) - _NAMED
    return between.join(names[:_NAMED]) + (f" and {rest:,} more" if more and rest > 0 else "")
