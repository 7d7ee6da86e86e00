"""Count how the positives of each tag are spread over groups (artists)."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from pipeline.info.label_rows import LabelRows
from schemas.tables import SPLITS


@dataclasses.dataclass(frozen=True)
class TagArtists:
    """Artists of the positives of every tag.

    Attributes:
        artists: Number of artists, int64 [tags].
        per_side: Number of artists in each split, int64 [tags, splits].
        biggest: Position in `LabelRows.groups` of the artist with most positives, int64 [tags]; -1 without a positive.
        biggest_tracks: Number of positives of that artist, int64 [tags].
    """

    artists: npt.NDArray[np.int64]
    per_side: npt.NDArray[np.int64]
    biggest: npt.NDArray[np.int64]
    biggest_tracks: npt.NDArray[np.int64]


def tag_artists(rows: LabelRows, tags: int) -> TagArtists:
    """Count the artists of each tag's positives; of two with equally many, the one whose track comes first is the biggest."""
    sides, groups = len(SPLITS), max(1, len(rows.groups))
    track = rows.track[rows.positive]
    key = rows.tag[rows.positive].astype(np.int64)  # computed in place, since there are millions
    key *= sides
    key += rows.side[track]
    key *= groups
    key += rows.group[track]
    del track
    keys, counts = np.unique(key, return_counts=True)
    del key
    tag, side, group = keys // groups // sides, keys // groups % sides, keys % groups
    per_side = np.bincount(tag * sides + side, minlength=tags * sides).reshape(tags, sides)
    # A split from the catalog may have an artist on several sides, who counts as one artist of the tag.
    whole, which = np.unique(tag * groups + group, return_inverse=True)
    tracks = np.bincount(which.reshape(-1), weights=counts, minlength=len(whole)).astype(np.int64)
    tag, group = whole // groups, whole % groups
    order = np.lexsort((group, -tracks, tag))
    first = order[np.append(True, tag[order][1:] != tag[order][:-1])] if len(order) else order
    biggest, biggest_tracks = np.full(tags, -1, np.int64), np.zeros(tags, np.int64)
    biggest[tag[first]], biggest_tracks[tag[first]] = group[first], tracks[first]
    return TagArtists(np.bincount(tag, minlength=tags).astype(np.int64), per_side, biggest, biggest_tracks)
