"""The result of comparing two folders of tags, and the gate by which it lets a model ship."""

from __future__ import annotations

import dataclasses
import math

from schemas.console.errors import UserError
from training.shipping_diff.decisions import ThresholdsFrom


@dataclasses.dataclass(frozen=True)
class OnlyIn:
    """Tracks that one folder has scores of and the other has not.

    Attributes:
        tracks: Their number.
        rejected: Number of those that the other folder rejected, by cause; it does not know the rest.
        first: The first of their ids, in order.
    """

    tracks: int
    rejected: dict[str, int]
    first: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two folders of tags.

    Attributes:
        root: The folder.
        model: SHA-256 of its model.
        labels: Label version on which the model was trained.
        features: What the model read: family, fingerprint and excerpt.
        excerpt: Part of each track that the model heard.
        scored: Number of its tracks with scores that were not removed.
        only: Those of them that the other folder has no scores of.
        only_tags: Tags that the other folder has not, in the order of the vocabulary.
        thresholds_from: Where the thresholds come from: an `option`, its `model`, or the `default` of 0.5.
        under_way: Progress of a generation that is not finished and does not count; None if there is none.
        missing_source: The dataset that was tagged, if it is not there to say which of its tracks were removed.
        head_alone: True if its scores are those of the model's head for kept embeddings.
    """

    root: str
    model: str
    labels: str
    features: str
    excerpt: str
    scored: int
    only: OnlyIn
    only_tags: tuple[str, ...]
    thresholds_from: ThresholdsFrom
    under_way: str | None
    missing_source: str | None
    head_alone: bool


@dataclasses.dataclass(frozen=True)
class TagDiff:
    """A tag in both folders, over the common tracks.

    Attributes:
        tag: Its name.
        tracks: Number of common tracks.
        old_threshold: Lowest score with which a track has the tag in the old folder; None if its model never assigns it.
        new_threshold: The same of the new folder.
        old: Number of tracks that have the tag in the old folder.
        new: Number of tracks that have it in the new one.
        gained: Number of tracks that have it only in the new one.
        lost: Number of tracks that have it only in the old one.
        old_mean: Mean of the old scores.
        new_mean: Mean of the new scores.
        absolute_shift: Mean of the absolute differences of the scores.
        spearman: Spearman's correlation of the scores, equal ones with their mean rank; NaN if one side has but one score.
        top: Number of highest-scored tracks that are compared.
        top_common: Number of tracks that are among these in both; equal scores are ordered by track_id.
    """

    tag: str
    tracks: int
    old_threshold: float | None
    new_threshold: float | None
    old: int
    new: int
    gained: int
    lost: int
    old_mean: float
    new_mean: float
    absolute_shift: float
    spearman: float
    top: int
    top_common: int

    @property
    def flips(self) -> int:
        return self.gained + self.lost

    @property
    def rate(self) -> float:
        """Share of the tracks on which the tag flips."""
        return self.flips / self.tracks

    @property
    def jaccard(self) -> float:
        """Tracks that have the tag in both, as a share of those that have it in either; NaN if none has."""
        either = self.old + self.gained
        return (self.old - self.lost) / either if either else math.nan

    @property
    def shift(self) -> float:
        """Mean of new score minus old score."""
        return self.new_mean - self.old_mean

    @property
    def overlap(self) -> float:
        """Share of the highest-scored tracks that are the same."""
        return self.top_common / self.top


@dataclasses.dataclass(frozen=True)
class GroupDiff:
    """The common tracks with one value in the column of `--by`.

    Attributes:
        name: The value; None for tracks without one.
        tracks: Number of tracks.
        gained: Number of tags that they gain.
        lost: Number of tags that they lose.
        rate: Flips as a share of all their pairs of track and tag.
        tags: The tags that flip most often on them, with their flips.
    """

    name: str | None
    tracks: int
    gained: int
    lost: int
    rate: float
    tags: tuple[tuple[str, int], ...]

    @property
    def flips(self) -> int:
        return self.gained + self.lost


@dataclasses.dataclass(frozen=True)
class FlippedTag:
    """A tag that flips on a track.

    Attributes:
        tag: Its name.
        is_gained: Whether the track has it in the new folder; otherwise it has it in the old one.
        old: Its score in the old folder.
        new: Its score in the new folder.
    """

    tag: str
    is_gained: bool
    old: float
    new: float


@dataclasses.dataclass(frozen=True)
class FlippedTrack:
    """A track to listen to.

    Attributes:
        track_id: Its id.
        group: Its group in the new folder.
        place: Generation and shard of it in the new folder.
        flips: The tags that flip on it, the largest difference first.
    """

    track_id: str
    group: str
    place: tuple[int, int]
    flips: tuple[FlippedTag, ...]


@dataclasses.dataclass(frozen=True)
class ShippingDiff:
    """The result of a comparison.

    Attributes:
        old: The tags in use.
        new: The tags that may replace them.
        tracks: Number of tracks with scores in both, which were compared.
        removed: Number of tracks that were removed from either or from the datasets that were tagged, and do not count.
        tags: The common tags, in the order of the new vocabulary.
        flipped_tracks: Number of tracks with at least one flip.
        examples: Tracks to listen to, those with most flips first.
        by: Column whose values are groups; None for no groups.
        group_count: Number of groups.
        groups: Groups, those with most flips beyond the mean rate first.
    """

    old: Side
    new: Side
    tracks: int
    removed: int
    tags: tuple[TagDiff, ...]
    flipped_tracks: int
    examples: tuple[FlippedTrack, ...]
    by: str | None
    group_count: int
    groups: tuple[GroupDiff, ...]

    @property
    def flips(self) -> int:
        return sum(one.flips for one in self.tags)

    @property
    def rate(self) -> float:
        """Flips as a share of all pairs of a common track and a common tag."""
        return self.flips / (self.tracks * len(self.tags))

    def most_flipped(self) -> list[TagDiff]:
        """The tags, starting with the one that flips most often; equal ones by name."""
        return sorted(self.tags, key=lambda one: (-one.flips, one.tag))


@dataclasses.dataclass(frozen=True)
class FlipGate:
    """Whether a model may ship: only if no larger share than `limit` of all pairs of track and tag flips."""

    limit: float
    rate: float

    @property
    def passed(self) -> bool:
        return self.rate <= self.limit


def gate_of(diff: ShippingDiff, limit: float) -> FlipGate:
    """Judge a comparison; raises UserError if the limit is not between 0 and 1."""
    require_share(limit)
    return FlipGate(limit, diff.rate)


def require_share(limit: float | None) -> None:
    """Raise UserError for a limit that is not between 0 and 1."""
    if limit is not None and not 0 <= limit <= 1:
        raise UserError(f"--max-flips: expected 0 to 1, received {limit:g}")
