"""Compare two label versions: changed tags, and the tracks that each tag gained or lost."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.label_version import LabelVersion
from schemas.tables import SPLITS

_SETTINGS = ("values", "positive_at", "missing", "unlabelled")
_UNKNOWN = -1.0  # represents an unknown value in comparisons


@dataclasses.dataclass(frozen=True)
class TagDiff:
    """Changes of a tag's positive tracks.

    Attributes:
        tag: Name in the second version, or in the first if the second no longer has it.
        before: Number of positive tracks in the first version.
        after: Number of positive tracks in the second version.
        gained: Number of tracks that are positive only in the second version.
        lost: Number of tracks that are positive only in the first version.
    """

    tag: str
    before: int
    after: int
    gained: int
    lost: int


@dataclasses.dataclass(frozen=True)
class LabelDiff:
    """Changes from one label version to another.

    Attributes:
        before, after: The versions as NAME@HASH.
        settings: Changed meanings of values and missing labels: setting -> before and after.
        tags_added: Tags that the first version has under no name, in the second's order.
        tags_removed: Tags that the second version neither has under any name nor merges, in the first's order.
        tags_renamed: Name before -> name after.
        tags_merged: Name before -> the tag that it counts as.
        reordered: True if the order of the common tags differs.
        tags: Changes of every tag, with those of the second version first.
        tracks_added, tracks_removed: Number of tracks that only one of the versions has.
        tracks_changed: Number of common tracks whose labels differ, with renamed tags treated as equal.
        tracks_moved: Number of common tracks that lie on another side of the split.
        tracks: Number of common tracks.
    """

    before: str
    after: str
    settings: dict[str, tuple[Any, Any]]
    tags_added: tuple[str, ...]
    tags_removed: tuple[str, ...]
    tags_renamed: dict[str, str]
    tags_merged: dict[str, str]
    reordered: bool
    tags: tuple[TagDiff, ...]
    tracks_added: int
    tracks_removed: int
    tracks_changed: int
    tracks_moved: int
    tracks: int

    def to_dict(self) -> dict[str, Any]:
        """The changes in a form that JSON can hold."""
        fields = dataclasses.asdict(self)
        fields.update({name: list(value) for name, value in fields.items() if isinstance(value, tuple)})
        fields["settings"] = {name: {"before": old, "after": new} for name, (old, new) in self.settings.items()}
        return fields

    @property
    def changes(self) -> dict[str, Any]:
        """The short form for log.jsonl."""
        names = ("tags_added", "tags_removed", "tags_renamed", "tags_merged")
        counts = ("tracks_added", "tracks_removed", "tracks_changed", "tracks_moved")
        whole = self.to_dict()
        return {name: whole[name] for name in ("settings", *names, *counts)}


@dataclasses.dataclass(frozen=True)
class _Labels:
    """One version's labels, with tracks numbered as in the other version.

    Attributes:
        held: Mask of the tracks that it has, bool [tracks].
        side: Sides of the tracks in the split, int64 [tracks].
        track: int64 [labels], tag: int64 [labels], value: float32 [labels]: the listed labels.
        positive: Mask of the positive labels, bool [labels].
    """

    held: npt.NDArray[np.bool_]
    side: npt.NDArray[np.int64]
    track: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    value: npt.NDArray[np.float32]
    positive: npt.NDArray[np.bool_]

    def tracks_of(self, tag: int, among: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The tag's positive tracks, ascending."""
        tracks = self.track[self.positive & (self.tag == tag)]
        return np.sort(tracks[among[tracks]])

    def renumbered(self, tags: list[int]) -> _Labels:
        """The labels with other tag numbers, ordered by track and tag."""
        tag = np.array(tags, np.int64)[self.tag] if len(self.tag) else self.tag
        order = np.lexsort((tag, self.track))
        return _Labels(self.held, self.side, self.track[order], tag[order], self.value[order], self.positive[order])


def label_diff(before: LabelVersion, after: LabelVersion) -> LabelDiff:
    """Compare two versions, of one label set or of two, over one dataset."""
    ids = pa.chunked_array([*before.table["track_id"].chunks, *after.table["track_id"].chunks], pa.string()).unique()
    one, other = _labels(before, ids), _labels(after, ids)
    both = one.held & other.held
    renamed, merged = _new_names(before, after, one, other, both)
    old_names = [renamed.get(tag, tag) for tag in before.vocabulary]
    known, kept = set(old_names), set(after.vocabulary)
    names = [*after.vocabulary, *(name for name in old_names if name not in kept)]
    code = {name: number for number, name in enumerate(names)}
    one = one.renumbered([code[name] for name in old_names])
    other = other.renumbered([code[name] for name in after.vocabulary])
    return LabelDiff(
        before=before.reference,
        after=after.reference,
        settings=_changed_settings(before, after),
        tags_added=tuple(tag for tag in after.vocabulary if tag not in known),
        tags_removed=tuple(
            tag for tag in before.vocabulary if tag not in kept and tag not in renamed and tag not in merged
        ),
        tags_renamed=renamed,
        tags_merged=merged,
        reordered=[name for name in old_names if name in kept] != [tag for tag in after.vocabulary if tag in known],
        tags=_tag_diffs(one, other, names),
        tracks=int(np.count_nonzero(both)),
        tracks_added=int(np.count_nonzero(other.held & ~both)),
        tracks_removed=int(np.count_nonzero(one.held & ~both)),
        tracks_changed=_changed_tracks(one, other, both, len(names)),
        tracks_moved=int(np.count_nonzero(both & (one.side != other.side))),
    )


def _labels(version: LabelVersion, ids: pa.Array) -> _Labels:
    table = version.table.combine_chunks()
    row = pc.index_in(table["track_id"], value_set=ids).to_numpy().astype(np.int64)
    held = np.zeros(len(ids), bool)
    held[row] = True
    side = np.full(len(ids), -1, np.int64)
    side[row] = pc.index_in(table["split"], value_set=pa.array(SPLITS)).to_numpy()
    tags = table["tags"].combine_chunks()
    value = pc.fill_null(table["values"].combine_chunks().flatten(), _UNKNOWN).to_numpy(zero_copy_only=False)
    return _Labels(
        held=held,
        side=side,
        track=row[tags.value_parent_indices().to_numpy()],
        tag=tags.flatten().to_numpy().astype(np.int64),
        value=value,
        positive=value >= version.positive_at,
    )


def _new_names(
    before: LabelVersion, after: LabelVersion, one: _Labels, other: _Labels, both: npt.NDArray[np.bool_]
) -> tuple[dict[str, str], dict[str, str]]:
    """Tags of the first version that have another name in the second, and those that count as another tag there.

    A tag counts as renamed if the second version has a new tag on exactly the same tracks and no other tag matches as well;
    a tag into which several are merged does not count as a new name.
    """
    old, new = set(before.vocabulary), set(after.vocabulary)
    gone = [tag for tag in before.vocabulary if tag not in new]
    come = [tag for tag in after.vocabulary if tag not in old]
    if not gone:
        return {}, {}
    merges = after.manifest.label_set["merge"]
    target_of = {source: target for target, group in merges.items() for source in group}
    number = {tag: place for place, tag in enumerate(after.vocabulary)}
    tracks = {tag: other.tracks_of(number[tag], both).tobytes() for tag in come}
    alike: dict[str, list[str]] = {}
    for tag in gone:
        mine = one.tracks_of(before.vocabulary.index(tag), both).tobytes()
        alike[tag] = [theirs for theirs in come if mine and tracks[theirs] == mine]
    taken = collections.Counter(theirs for found in alike.values() for theirs in found)
    renamed = {
        tag: found[0]
        for tag, found in alike.items()
        if len(found) == 1 and taken[found[0]] == 1 and len(merges.get(found[0], ())) < 2
    }
    merged = {tag: target_of[tag] for tag in gone if tag not in renamed and target_of.get(tag) in new}
    return renamed, merged


def _changed_settings(before: LabelVersion, after: LabelVersion) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (before.manifest.label_set[name], after.manifest.label_set[name]) for name in _SETTINGS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _tag_diffs(one: _Labels, other: _Labels, names: list[str]) -> tuple[TagDiff, ...]:
    keys = [labels.track[labels.positive] * len(names) + labels.tag[labels.positive] for labels in (one, other)]
    lost, gained = (np.isin(mine, theirs, assume_unique=True, invert=True) for mine, theirs in (keys, keys[::-1]))
    counts = [np.bincount(found % len(names), minlength=len(names)) for found in keys]
    counts += [
        np.bincount(found[apart] % len(names), minlength=len(names))
        for found, apart in ((keys[1], gained), (keys[0], lost))
    ]
    return tuple(TagDiff(name, *(int(count[number]) for count in counts)) for number, name in enumerate(names))


def _changed_tracks(one: _Labels, other: _Labels, both: npt.NDArray[np.bool_], names: int) -> int:
    changed = np.zeros(len(both), bool)
    keys = [labels.track * names + labels.tag for labels in (one, other)]  # ascending and unique
    place = np.searchsorted(keys[1], keys[0])
    same = place < len(keys[1])
    same[same] = keys[1][place[same]] == keys[0][same]
    changed[one.track[~same]] = True
    found = np.zeros(len(keys[1]), bool)
    found[place[same]] = True
    changed[other.track[~found]] = True
    differs = one.value[same] != other.value[place[same]]
    changed[one.track[same][differs]] = True
    return int(np.count_nonzero(changed & both))
