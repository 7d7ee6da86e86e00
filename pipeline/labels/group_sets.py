"""Sets of tracks that a split keeps on one side: groups (artists), joined if they share audio under several ids."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.jobs.plan import hash_position
from pipeline.labels.annotations import Annotations
from pipeline.labels.shares import filled, near_shares
from pipeline.labels.stratify import stratified_sides
from pipeline.labels.tag_rows import rows_of
from schemas.same_audio import same_audio

POSITIVE_AT = 0.5  # smallest value of an annotation that a stratified split counts


@dataclasses.dataclass(frozen=True)
class GroupSets:
    """Sets of tracks that belong together.

    Attributes:
        group: Number of each track's group, int64 [tracks].
        joined: Number of each group's set, int64 [groups], which is the number of one of the groups in it.
        position: Position of each group's set in [0, 1), by the hash of its first name, float64 [groups].
    """

    group: npt.NDArray[np.int64]
    joined: npt.NDArray[np.int64]
    position: npt.NDArray[np.float64]

    def followed(self, pinned: npt.NDArray[np.int64], sides: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Sides of tracks, following the tracks of their set that already have one.

        A track takes the side of its group, or else that of the tracks joined with it by audio; if these lie on several
        sides, that of the one whose id comes first.

        Args:
            pinned: Sides that tracks already have, [tracks] in order of their ids; -1 for none.
            sides: Sides of the other tracks, [tracks].
        """
        held = np.flatnonzero(pinned >= 0)
        for belongs in (self.joined[self.group], self.group):  # the group takes precedence over the audio
            owners, places = np.unique(belongs[held], return_index=True)
            side_of = np.full(len(self.joined), -1, np.int64)
            side_of[owners] = pinned[held[places]]
            sides = np.where(side_of[belongs] >= 0, side_of[belongs], sides)
        return sides

    def placed(self, pinned: npt.NDArray[np.int64], ratios: tuple[float, float, float]) -> npt.NDArray[np.int64]:
        """Sides of tracks: that of their set if it has one, else so that every side gets its share; see `near_shares`.

        Args:
            pinned: Sides that tracks already have, as for `followed`.
            ratios: Shares of the sides.

        Returns:
            Side of each track, int64 [tracks].
        """
        sides = self.followed(pinned, np.full(len(self.group), -1, np.int64))
        free = np.flatnonzero(sides < 0)
        numbers, member, sizes = np.unique(self.joined[self.group[free]], return_inverse=True, return_counts=True)
        order = np.argsort(self.position[numbers], kind="stable")
        held = np.bincount(sides[sides >= 0], minlength=len(ratios))
        hashed = _by_hash(self.position[numbers[order]], ratios)
        near = np.empty(len(numbers), np.int64)
        near[order] = near_shares(sizes[order], hashed, held, np.array(ratios) / sum(ratios))
        sides[free] = near[member]
        return sides

    @property
    def count(self) -> int:
        """Number of sets."""
        return len(np.unique(self.joined))


def _by_hash(position: npt.NDArray[np.float64], ratios: tuple[float, float, float]) -> npt.NDArray[np.int64]:
    """Sides of sets, determined only by their positions."""
    return np.searchsorted(np.cumsum(ratios)[:2] / sum(ratios), position, side="right").astype(np.int64)


def group_sets(tracks: pa.Table, salt: str) -> GroupSets:
    """The sets of a dataset's tracks; `salt` changes their positions."""
    encoded = tracks["group"].combine_chunks().dictionary_encode()
    names, group = encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)
    joined = _joined(tracks, group, len(names))
    first_name: dict[int, str] = {}
    for number, name in enumerate(names):
        first_name[joined[number]] = min(name, first_name.get(joined[number], name))
    position = [hash_position(salt + first_name[joined[number]]) for number in range(len(names))]
    return GroupSets(group, np.array(joined, np.int64), np.array(position, np.float64))


def stratified(
    tracks: pa.Table, sets: GroupSets, ratios: tuple[float, float, float], annotations: Annotations
) -> npt.NDArray[np.int64]:
    """Side of each track, [tracks], so that every tag is spread by the ratios as far as whole sets allow."""
    rows, _ = rows_of(annotations, tracks["track_id"])
    rows = rows.taken(rows.value >= POSITIVE_AT)
    owners, member = np.unique(sets.joined[sets.group], return_inverse=True)
    order = np.argsort(sets.position[owners], kind="stable")
    sides = stratified_sides(member, rows.track, rows.tag, np.array(ratios), order)
    none = np.zeros(len(ratios), np.int64)
    of_order = filled(np.bincount(member)[order], sides[order], none, np.array(ratios) / sum(ratios))
    sides[order] = of_order
    return sides[member]


def _joined(tracks: pa.Table, group: npt.NDArray[np.int64], groups: int) -> list[int]:
    """For each group the number of the set of groups with which it is joined by shared audio."""
    root = list(range(groups))

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = number = root[root[number]]
        return number

    lists = same_audio(tracks)
    place = pc.index_in(pa.array([track for same in lists for track in same], pa.string()), tracks["track_id"])
    rows = iter(place.to_pylist())
    for same in lists:
        first, *others = (find(int(group[next(rows)])) for _ in same)
        for other in others:
            root[find(other)] = find(first)
    return [find(number) for number in range(groups)]
