"""Give each side of a split its share of every tag: iterative stratification.

The method is that of Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (ECML PKDD 2011), with
whole groups of tracks in place of single examples: starting with the rarest tag, each group goes to the side that lacks most
of it. Groups with many tags improve one tag and worsen another, so groups are then moved as long as that improves the shares.
"""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

PASSES = 3  # most passes over all groups to move them; few move after that
_LEAST_GAIN = 1e-12  # gain in squared error; a smaller one is rounding, and would move a group back and forth


def stratified_sides(
    group: npt.NDArray[np.int64],
    track: npt.NDArray[np.int64],
    tag: npt.NDArray[np.int64],
    ratios: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Assign a side to every group.

    Args:
        group: Group of each track, [tracks], from 0 without gaps.
        track: [labels], tag: [labels], from 0: pairs of a track and its tag, each pair once.
        ratios: Shares of the sides, [sides].
        order: The groups, [groups], in the order of assignment when nothing else decides.

    Returns:
        Side of each group, [groups].
    """
    groups = len(order)
    tags = int(tag.max(initial=-1)) + 1
    rank = np.empty(groups, np.int64)
    rank[order] = np.arange(groups)
    pairs, counts = np.unique(group[track] * max(1, tags) + tag, return_counts=True)
    of_group, of_tag = pairs // max(1, tags), pairs % max(1, tags)
    group_starts = np.searchsorted(of_group, np.arange(groups + 1))
    # Large groups come first, while there is room to even them out.
    by_tag = np.lexsort((rank[of_group], -counts, of_tag))
    tag_starts = np.searchsorted(of_tag[by_tag], np.arange(tags + 1))

    shares = ratios / ratios.sum()
    sizes = np.bincount(group, minlength=groups)
    lacking = np.bincount(of_tag, weights=counts, minlength=tags)[:, None] * shares  # tracks that a side still needs
    lacking_tracks = sizes.sum() * shares
    closed = shares == 0
    side_of = np.full(groups, -1, np.int64)
    left = np.bincount(of_tag, minlength=tags)  # groups of a tag without a side

    def give(number: int, wanted: npt.NDArray[np.float64]) -> None:
        ranked = np.where(closed, -np.inf, wanted)
        best = np.flatnonzero(ranked == ranked.max())
        side = int(best[np.argmax(lacking_tracks[best])]) if len(best) > 1 else int(best[0])
        side_of[number] = side
        mine = slice(group_starts[number], group_starts[number + 1])
        lacking[of_tag[mine], side] -= counts[mine]
        left[of_tag[mine]] -= 1
        lacking_tracks[side] -= sizes[number]

    waiting = [(int(left[number]), number) for number in range(tags)]
    heapq.heapify(waiting)
    while waiting:
        had, rarest = heapq.heappop(waiting)
        if had != left[rarest]:  # fewer are left by now: its turn comes sooner, or it is done
            if left[rarest]:
                heapq.heappush(waiting, (int(left[rarest]), rarest))
            continue
        for number in of_group[by_tag[tag_starts[rarest] : tag_starts[rarest + 1]]]:
            if side_of[number] < 0:
                give(number, lacking[rarest])
    for number in order[side_of[order] < 0]:
        give(number, lacking_tracks)

    # A side's error is relative to the tag's size, so that a rare tag weighs as much as a frequent one.
    totals = np.bincount(of_tag, weights=counts, minlength=tags)
    weight = 1 / np.maximum(totals, 1) ** 2
    open_sides = np.flatnonzero(~closed)
    for _ in range(PASSES):
        moved = False
        for number in order:
            mine = slice(group_starts[number], group_starts[number + 1])
            its_tags, its_counts, here = of_tag[mine], counts[mine], side_of[number]
            # A move changes the squared error by 2 * weight * count * (count + lacking here - lacking there).
            gain = its_counts[:, None] * (lacking[its_tags] - lacking[its_tags, here][:, None] - its_counts[:, None])
            better = (weight[its_tags, None] * gain).sum(axis=0)
            better += sizes[number] * (lacking_tracks - lacking_tracks[here] - sizes[number]) / sizes.sum() ** 2
            best = int(open_sides[np.argmax(better[open_sides])])
            if best != here and better[best] > _LEAST_GAIN:
                for side, sign in ((here, 1), (best, -1)):
                    lacking[its_tags, side] += sign * its_counts
                    lacking_tracks[side] += sign * sizes[number]
                side_of[number], moved = best, True
        if not moved:
            break
    return side_of
