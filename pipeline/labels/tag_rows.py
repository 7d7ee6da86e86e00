"""Rows of track, tag and value: annotations of a dataset's tracks, and their transformation by a label set."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.annotations import Annotations
from pipeline.labels.label_set import LabelSet


@dataclasses.dataclass(frozen=True)
class TagRows:
    """Row i gives track[i] the tag names[tag[i]] with value[i]; each pair of track and tag occurs once.

    Attributes:
        track: Position in the dataset's ordered table of tracks, int64 [rows].
        tag: Position in `names`, int64 [rows].
        value: Value in [0, 1], float64 [rows]; NaN means unknown.
        names: Tags.
    """

    track: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    names: tuple[str, ...]

    def taken(self, kept: npt.NDArray[np.bool_]) -> TagRows:
        """Some of the rows."""
        return TagRows(self.track[kept], self.tag[kept], self.value[kept], self.names)


def rows_of(annotations: Annotations, track_ids: pa.ChunkedArray) -> tuple[TagRows, list[str]]:
    """The annotations of the given tracks, and the sorted ids of other annotated tracks."""
    annotated = annotations.tracks
    place = pc.index_in(annotated, value_set=track_ids.combine_chunks())
    track = pc.fill_null(place, -1).to_numpy().astype(np.int64)[annotations.track]
    rows = TagRows(track, annotations.tag, annotations.value, annotations.tags)
    foreign = sorted(annotated.filter(pc.is_null(place)).to_pylist())
    return (rows.taken(track >= 0) if foreign else rows), foreign


def related(rows: TagRows, label_set: LabelSet) -> tuple[TagRows, int]:
    """Rows after synonyms are merged, tags excluded and parents set.

    Of a track's merged values the largest counts, and an unknown value counts least. A positive tag raises its ancestors to
    at least its value; a lower value does not affect them.

    Returns:
        The rows, and the number of rows that denied an ancestor and were overruled.
    """
    rows = _merged(rows, label_set)
    if not label_set.hierarchy:
        return rows, 0
    code = {name: number for number, name in enumerate(rows.names)}
    ancestors = label_set.ancestors()
    lists = [[code[above] for above in ancestors.get(name, ())] for name in rows.names]
    lengths = np.array([len(above) for above in lists], np.int64)
    flat = np.array([number for above in lists for number in above], np.int64)
    starts = np.cumsum(lengths) - lengths
    positive = np.flatnonzero((rows.value >= label_set.positive_at) & (lengths[rows.tag] > 0))
    count = lengths[rows.tag[positive]]
    child = np.repeat(positive, count)
    within = np.arange(len(child)) - np.repeat(np.cumsum(count) - count, count)
    parents = TagRows(rows.track[child], flat[starts[rows.tag[child]] + within], rows.value[child], rows.names)
    joined = _largest(_concatenated(rows, parents))
    negative = rows.value < label_set.positive_at
    denied = _keys(rows.taken(negative), len(rows.names))
    found = _keys(joined, len(rows.names))  # ascending
    overruled = joined.value[np.searchsorted(found, denied)] >= label_set.positive_at
    return joined, int(np.count_nonzero(overruled))


def _merged(rows: TagRows, label_set: LabelSet) -> TagRows:
    target_of = {source: target for target, group in label_set.merge.items() for source in group}
    names = tuple(dict.fromkeys((*rows.names, *label_set.merge, *label_set.hierarchy)))
    code = {name: number for number, name in enumerate(names)}
    recode = np.array([code[target_of.get(name, name)] for name in rows.names], np.int64)
    named = TagRows(rows.track, recode[rows.tag], rows.value, names)
    excluded = np.zeros(len(names), bool)
    excluded[[code[name] for name in label_set.exclude]] = True
    if excluded.any():
        named = named.taken(~excluded[named.tag])
    return _largest(named) if target_of else named


def _largest(rows: TagRows) -> TagRows:
    """Each pair of track and tag once, with its largest value, ordered by track and then tag."""
    key = _keys(rows, len(rows.names))
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.empty(0, np.int64)
    value = np.fmax.reduceat(rows.value[order], starts) if len(key) else rows.value  # any number beats NaN
    first = order[starts]
    return TagRows(rows.track[first], rows.tag[first], value, rows.names)


def _keys(rows: TagRows, tags: int) -> npt.NDArray[np.int64]:
    return rows.track * max(1, tags) + rows.tag


def _concatenated(one: TagRows, other: TagRows) -> TagRows:
    return TagRows(
        np.concatenate([one.track, other.track]),
        np.concatenate([one.tag, other.tag]),
        np.concatenate([one.value, other.value]),
        one.names,
    )
