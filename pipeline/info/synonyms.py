"""Find tags that look like one tag: spelling suggests them, and shared tracks confirm or refute it."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from pipeline.info.co_occurrence import count_pairs
from pipeline.info.label_rows import LabelRows
from pipeline.info.tag_spelling import Likeness, pairs_alike
from pipeline.labels.label_set import LabelSet

SAME_TRACKS_JACCARD = 0.6  # share of the tracks with either tag that have both, from which they are nearly the same
SAME_TRACKS_SUPPORT = 20  # smallest number of tracks of each tag
_LEAST_EXPECTED = 5.0  # tracks with both tags expected by chance, below which their absence means nothing
_LEAST_BOTH = 5  # tracks with both tags, below which their presence means nothing
_TOGETHER = 2.0  # times as often as by chance; most published near-synonyms are at 4 to 17, opposites below 1


@dataclasses.dataclass(frozen=True)
class TagPair:
    """Two tags that look like one.

    Attributes:
        tags: The two tags, the more frequent one first.
        likeness: Similarity of their spelling in words; empty if only their tracks are similar.
        both: Number of tracks that are positive for both.
        only: Number of tracks that are positive only for the first, and only for the second.
        jaccard: Share of the tracks with either that have both; 0 if there are none.
        lift: Number of tracks with both, relative to that expected by chance; 0 if a tag has no track.
        merge: True if the suggestion merges them.
    """

    tags: tuple[str, str]
    likeness: str
    both: int
    only: tuple[int, int]
    jaccard: float
    lift: float
    merge: bool

    @property
    def same_tracks(self) -> bool:
        """True if the two tags are on nearly the same tracks."""
        return self.jaccard >= SAME_TRACKS_JACCARD and self.both + min(self.only) >= SAME_TRACKS_SUPPORT


@dataclasses.dataclass(frozen=True)
class Synonyms:
    """Near-synonyms of a vocabulary.

    Attributes:
        pairs: Pairs, closest first: those to merge, then by spelling, then by tracks.
        merge: Target -> tags that should count as it, from the pairs only.
        yaml: The label set's field `merge` with the existing and the suggested merges; empty without a suggestion.
        drop_from_tags: Tags that must then be removed from the label set's field `tags`.
    """

    pairs: tuple[TagPair, ...]
    merge: dict[str, tuple[str, ...]]
    yaml: str
    drop_from_tags: tuple[str, ...]


def find_synonyms(rows: LabelRows, vocabulary: Sequence[str], label_set: Mapping[str, Any]) -> Synonyms:
    """Find the tags of a vocabulary that look like one tag.

    Args:
        rows: Labels.
        vocabulary: Tags in output order.
        label_set: The label set as stored in labels.json.
    """
    tag = rows.tag[rows.positive]
    totals = np.bincount(tag, minlength=len(vocabulary))
    alike = pairs_alike(vocabulary)
    counts = count_pairs(
        rows.track[rows.positive],
        tag,
        (rows.tracks, len(vocabulary)),
        np.array(list(alike), np.int64).reshape(-1, 2),
        jaccard=SAME_TRACKS_JACCARD,
        support=SAME_TRACKS_SUPPORT,
    )
    above = LabelSet("any", hierarchy=label_set.get("hierarchy") or {}).ancestors()
    pairs = []
    joined: list[tuple[int, int]] = []
    for first, second, both in zip(counts.first.tolist(), counts.second.tolist(), counts.both.tolist(), strict=True):
        one, other = vocabulary[first], vocabulary[second]
        if one in above.get(other, ()) or other in above.get(one, ()):
            continue  # a parent is on the tracks of its children by definition of the label set
        likeness = alike.get((first, second))
        pair = _pair(vocabulary, totals, rows.tracks, (first, second), likeness, both)
        if likeness is Likeness.SAME_BEGINNING and not (_often_together(pair) or pair.same_tracks):
            continue  # guitar and guitarist, rock and rockabilly: nothing to decide
        pairs.append((likeness, pair))
        if pair.merge:
            joined.append((first, second))
    pairs.sort(key=lambda each: _place(*each))
    before = label_set.get("merge") or {}
    merge = _merges(joined, vocabulary, totals, before)
    moved = {tag for group in merge.values() for tag in group}
    return Synonyms(
        pairs=tuple(pair for _, pair in pairs),
        merge=merge,
        yaml=_snippet(merge, before) if merge else "",
        drop_from_tags=tuple(tag for tag in label_set.get("tags") or () if tag in moved),
    )


def _pair(
    vocabulary: Sequence[str],
    totals: npt.NDArray[np.int64],
    tracks: int,
    places: tuple[int, int],
    likeness: Likeness | None,
    both: int,
) -> TagPair:
    first, second = sorted(places, key=lambda place: (-totals[place], vocabulary[place]))
    counts = int(totals[first]), int(totals[second])
    expected = counts[0] * counts[1] / tracks if tracks else 0.0
    either = sum(counts) - both
    pair = TagPair(
        tags=(vocabulary[first], vocabulary[second]),
        likeness="" if likeness is None else likeness.words,
        both=both,
        only=(counts[0] - both, counts[1] - both),
        jaccard=both / either if either else 0.0,
        lift=both / expected if expected else 0.0,
        merge=False,
    )
    return dataclasses.replace(pair, merge=_should_merge(pair, likeness, expected))


def _should_merge(pair: TagPair, likeness: Likeness | None, expected: float) -> bool:
    """True for close spellings unless their tracks speak against it, and for distant ones only if tracks support it."""
    if likeness in (Likeness.SAME_LETTERS, Likeness.SAME_WORDS):
        return True  # even if two sources, each with its own spelling, share no track
    if likeness is Likeness.SAME_STEMS:
        return expected < _LEAST_EXPECTED or pair.both >= expected
    return likeness is Likeness.ONE_LETTER and _often_together(pair)


def _often_together(pair: TagPair) -> bool:
    return pair.both >= _LEAST_BOTH and pair.lift >= _TOGETHER


def _place(likeness: Likeness | None, pair: TagPair) -> tuple[Any, ...]:
    return not pair.merge, len(Likeness) if likeness is None else likeness, -pair.both, pair.tags


def _merges(
    pairs: Sequence[tuple[int, int]],
    vocabulary: Sequence[str],
    totals: npt.NDArray[np.int64],
    before: Mapping[str, Sequence[str]],
) -> dict[str, tuple[str, ...]]:
    """For each set of joined tags, the most frequent one -> the others, ordered by frequency.

    An existing merge target comes first, even if no annotation names it.
    """
    root = list(range(len(vocabulary)))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = place = root[root[place]]
        return place

    for first, second in pairs:
        root[find(second)] = find(first)
    members: dict[int, list[int]] = defaultdict(list)
    places = {place for pair in pairs for place in pair}
    for place in sorted(places, key=lambda at: (vocabulary[at] not in before, -totals[at], vocabulary[at])):
        members[find(place)].append(place)
    return {vocabulary[first]: tuple(vocabulary[each] for each in others) for first, *others in members.values()}


def _snippet(merge: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]) -> str:
    """The field `merge` as YAML, with the existing and the suggested merges; no tag is on both sides."""
    target_of = {source: target for target, sources in merge.items() for source in sources}
    combined: dict[str, list[str]] = {}
    for target, sources in before.items():
        new = target_of.get(target, target)
        combined.setdefault(new, []).extend([*sources, *([target] if new != target else [])])
    for target, sources in merge.items():
        group = combined.setdefault(target, [])
        group.extend(source for source in sources if source not in group)
    return str(
        yaml.safe_dump({"merge": combined}, default_flow_style=None, allow_unicode=True, sort_keys=False, width=2**31)
    )
