"""Health of a version's labels: counts per tag and split, near-synonyms, artists, unlabelled tracks."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.info.label_rows import LabelRows, label_rows
from pipeline.info.synonyms import Synonyms, find_synonyms
from pipeline.info.tag_artists import tag_artists
from schemas.label_version import LabelVersion
from schemas.tables import SPLITS

BINS = 10  # bins of graded values from 0 to 1
ONE_ARTIST_SHARE = 0.5  # share of a tag's positives above which the tag describes an artist more than a sound
_IDS_SHOWN = 5  # ids of unlabelled tracks shown per split
_MOST_LABELS = 15  # tracks with this many labels or more share a bar


@dataclasses.dataclass(frozen=True)
class TagHealth:
    """One tag.

    Attributes:
        tag: Tag of the vocabulary.
        positives: Number of positive tracks per split.
        unknown: Number of tracks per split whose label is unknown.
        share: Share of positives among the tracks whose label is known; 0 if there are none.
        artists: Number of groups of the positives.
        artists_per_split: Number of groups of the positives per split.
        biggest_artist: Group with most positives; empty without a positive.
        biggest_share: Share of the positives in that group.
        histogram: Number of listed values in BINS equal bins from 0 to 1; None for a binary label set.
    """

    tag: str
    positives: dict[str, int]
    unknown: dict[str, int]
    share: float
    artists: int
    artists_per_split: dict[str, int]
    biggest_artist: str
    biggest_share: float
    histogram: tuple[int, ...] | None

    @property
    def tracks(self) -> int:
        """Number of positives in all splits."""
        return sum(self.positives.values())

    @property
    def one_artist_splits(self) -> list[str]:
        """Splits in which all positives come from one artist."""
        return [side for side, count in self.artists_per_split.items() if count == 1]

    @property
    def one_artist_but_for_one_split(self) -> bool:
        """True if at most one split has several artists, and in some split all positives come from one artist."""
        several = sum(count > 1 for count in self.artists_per_split.values())
        return self.artists > 1 and several <= 1 and bool(self.one_artist_splits)


@dataclasses.dataclass(frozen=True)
class LabelHealth:
    """A version of a label set.

    Attributes:
        reference: The version as NAME@HASH.
        split: NAME@HASH of its split.
        values: `binary` or `graded`.
        missing: `negative` or `unknown`.
        positive_at: Smallest value that counts as positive.
        tracks: Number of labelled tracks per split that the dataset holds.
        removed: Number of labelled tracks removed from the dataset since.
        not_covered: Number of stored tracks that the version does not list: newer than it, without a side, or dropped.
        generations: Number of the dataset's generations that the version covers, and their total.
        grouped: True if some artist has several tracks; otherwise nothing is known about artists.
        tags: Tags in the order of the vocabulary.
        synonyms: Near-synonyms and the suggested merge.
        unlabelled: Number of tracks per split without a listed label.
        unlabelled_ids: Ids of the first few of them per split.
        labels_per_track: Number of tracks by number of positive tags, from 0.
    """

    reference: str
    split: str
    values: str
    missing: str
    positive_at: float
    tracks: dict[str, int]
    removed: int
    not_covered: int
    generations: tuple[int, int]
    grouped: bool
    tags: tuple[TagHealth, ...]
    synonyms: Synonyms
    unlabelled: dict[str, int]
    unlabelled_ids: dict[str, tuple[str, ...]]
    labels_per_track: tuple[int, ...]

    @property
    def without_positive(self) -> list[tuple[TagHealth, list[str]]]:
        """Tags without a positive in some non-empty split, with these splits."""
        held = [side for side in SPLITS if self.tracks[side]]
        marked = [(tag, [side for side in held if not tag.positives[side]]) for tag in self.tags]
        return [(tag, sides) for tag, sides in marked if sides]

    @property
    def of_one_artist(self) -> list[TagHealth]:
        """Tags whose positives all come from one artist, the most frequent first."""
        return self._by_tracks([tag for tag in self.tags if tag.artists == 1])

    @property
    def of_one_artist_but_for_one_split(self) -> list[TagHealth]:
        """Tags that have several artists in at most one split, the most frequent first."""
        return self._by_tracks([tag for tag in self.tags if tag.one_artist_but_for_one_split])

    @property
    def mostly_of_one_artist(self) -> list[TagHealth]:
        """Tags of several artists, one of whom has more than ONE_ARTIST_SHARE of the positives."""
        return self._by_tracks([tag for tag in self.tags if tag.artists > 1 and tag.biggest_share > ONE_ARTIST_SHARE])

    @property
    def labels_per_track_bars(self) -> list[tuple[str, int]]:
        """Number of labels as text, and number of tracks with that many; large numbers share the last bar."""
        counts = self.labels_per_track
        bars = [(str(labels), tracks) for labels, tracks in enumerate(counts[:_MOST_LABELS])]
        return [*bars, (f"{_MOST_LABELS}+", sum(counts[_MOST_LABELS:]))] if len(counts) > _MOST_LABELS else bars

    def _by_tracks(self, tags: list[TagHealth]) -> list[TagHealth]:
        return sorted(tags, key=lambda tag: (-tag.tracks, tag.tag)) if self.grouped else []


def label_health(labels: LabelVersion, stored: pa.Table, generations: int) -> LabelHealth:
    """Examine a version of a label set.

    Args:
        labels: The label version.
        stored: Columns track_id and group of every stored track.
        generations: Number of generations of the dataset.
    """
    rows = label_rows(labels, stored)
    manifest = labels.manifest
    per_side = np.bincount(rows.side, minlength=len(SPLITS))
    listed = np.bincount(rows.track, minlength=rows.tracks)
    unlabelled = {name: np.flatnonzero((listed == 0) & (rows.side == side)) for side, name in enumerate(SPLITS)}
    positives_of_track = np.bincount(rows.track[rows.positive], minlength=rows.tracks)
    return LabelHealth(
        reference=labels.reference,
        split=f"{manifest.split['name']}@{manifest.split['version']}",
        values=manifest.label_set["values"],
        missing=manifest.label_set["missing"],
        positive_at=float(manifest.label_set["positive_at"]),
        tracks=_by_split(per_side),
        removed=rows.removed,
        not_covered=stored.num_rows - rows.tracks,
        generations=(len(manifest.generations), generations),
        grouped=len(rows.groups) < rows.tracks,
        tags=_tags(rows, labels, per_side),
        synonyms=find_synonyms(rows, labels.vocabulary, manifest.label_set),
        unlabelled={name: len(places) for name, places in unlabelled.items()},
        unlabelled_ids={
            name: tuple(rows.track_ids.take(pa.array(places[:_IDS_SHOWN], pa.int64())).to_pylist())
            for name, places in unlabelled.items()
        },
        labels_per_track=tuple(np.bincount(positives_of_track).tolist()),
    )


def _by_split(counts: npt.NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(SPLITS, counts.tolist(), strict=True))


def _tags(rows: LabelRows, labels: LabelVersion, tracks: npt.NDArray[np.int64]) -> tuple[TagHealth, ...]:
    count = len(labels.vocabulary)
    cell = rows.tag * len(SPLITS) + rows.side[rows.track]

    def per_split(which: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(cell[which], minlength=count * len(SPLITS)).reshape(count, len(SPLITS))

    unlisted = np.isnan(rows.value)
    positives, unknown = per_split(rows.positive), per_split(unlisted)
    if labels.manifest.label_set["missing"] == "unknown":
        unknown = tracks - per_split(~unlisted)
    known = np.maximum(1, (tracks - unknown).sum(axis=1))
    totals = positives.sum(axis=1)
    artists = tag_artists(rows, count)
    histograms = _histograms(rows, count) if labels.manifest.label_set["values"] == "graded" else None
    return tuple(
        TagHealth(
            tag=tag,
            positives=_by_split(positives[place]),
            unknown=_by_split(unknown[place]),
            share=float(totals[place] / known[place]),
            artists=int(artists.artists[place]),
            artists_per_split=_by_split(artists.per_side[place]),
            biggest_artist=rows.groups[int(artists.biggest[place])].as_py() if totals[place] else "",
            biggest_share=float(artists.biggest_tracks[place] / max(1, totals[place])),
            histogram=None if histograms is None else tuple(histograms[place].tolist()),
        )
        for place, tag in enumerate(labels.vocabulary)
    )


def _histograms(rows: LabelRows, tags: int) -> npt.NDArray[np.int64]:
    """Number of known listed values by tag and bin; 1 is in the last bin."""
    known = ~np.isnan(rows.value)
    bins = np.minimum(BINS - 1, rows.value[known] * np.float32(BINS)).astype(np.int64)
    return np.bincount(rows.tag[known] * BINS + bins, minlength=tags * BINS).reshape(tags, BINS)
