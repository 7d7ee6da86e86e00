"""Give the sides of a split their shares in whole sets of tracks: by hash if that is close, else by moving a few sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEAR = 0.03  # relative error of a share up to which the hash alone decides, so that whole shards lie on one side
MOST_MOVES = 300  # most moves after the cuts; with more sets than that the cuts alone come close
_LEAST_GAIN = 1e-6  # gain in squared error of tracks; a smaller one is rounding

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


def near_shares(sizes: Counts, hashed: Counts, held: Counts, shares: Shares) -> Counts:
    """Assign a side to each set so that the shares are close and no side stays empty that can be filled.

    With many sets the hash is close enough by itself and is used unchanged. With few, the sets keep the order of their hash,
    the cuts move to where the tracks reach the shares, and then single sets move or trade places as long as that helps.

    Args:
        sizes: Number of tracks of each set without a side, [sets], in the order of their hash.
        hashed: Side of each set by its hash, [sets].
        held: Number of tracks that the sides already have and keep, [sides].
        shares: Shares of the sides, [sides], with sum 1.

    Returns:
        Side of each set, [sets].
    """
    wanted = shares * (sizes.sum() + held.sum())
    counts = held + _counts(sizes, hashed, len(shares))
    if np.all(np.abs(counts - wanted) <= NEAR * wanted) and not np.any((counts == 0) & (shares > 0)):
        return hashed
    sides = filled(sizes, _cut(sizes, np.maximum(wanted - held, 0), shares), held, shares)
    for _ in range(MOST_MOVES):
        if not _move(sizes, sides, held, shares) and not _exchange(sizes, sides, held, shares):
            break
    return sides


def filled(sizes: Counts, sides: Counts, held: Counts, shares: Shares) -> Counts:
    """The sides of sets, changed so that no side with a share stays empty that can be filled; see `near_shares`."""
    sides = sides.copy()
    for _ in shares:
        counts = held + _counts(sizes, sides, len(shares))
        if not np.any((counts == 0) & (shares > 0)):
            break
        _move(sizes, sides, held, shares)
    return sides


def _counts(sizes: Counts, sides: Counts, count: int) -> Counts:
    """Number of tracks of each side."""
    return np.bincount(sides, weights=sizes, minlength=count).astype(np.int64)


def _cut(sizes: Counts, lacking: Shares, shares: Shares) -> Counts:
    """Divide sets in their order among the sides so that each side comes closest to the number of tracks that it lacks.

    A set that is too large for some side goes to the side that lacks most, before the others are divided.
    """
    sides = np.empty(len(sizes), np.int64)
    lacking = np.where(shares > 0, lacking, -np.inf)
    too_large = sizes > lacking[lacking > 0].min(initial=np.inf)
    for chosen in np.argsort(-sizes, kind="stable")[: np.count_nonzero(too_large)]:
        sides[chosen] = np.argmax(lacking)
        lacking[sides[chosen]] -= sizes[chosen]
    rest = sizes[~too_large]
    lacking = np.maximum(lacking, 0)
    cuts = np.cumsum(lacking)[:-1] * (rest.sum() / max(lacking.sum(), 1))
    sides[~too_large] = np.searchsorted(cuts, np.cumsum(rest) - rest / 2, side="right")
    return sides


def _move(sizes: Counts, sides: Counts, held: Counts, shares: Shares) -> bool:
    """Move, in place, the set that most improves the shares or fills a side; returns False if none does."""
    if not len(sizes):
        return False
    counts = held + _counts(sizes, sides, len(shares))
    excess = counts - shares * counts.sum()
    fill = 4.0 * counts.sum() ** 2  # outweighs any error
    gain = 2 * sizes[:, None] * (excess[sides][:, None] - excess - sizes[:, None])
    gain += fill * ((counts == 0) & (shares > 0))
    gain -= fill * ((counts[sides] == sizes) & (shares[sides] > 0))[:, None]
    gain[:, shares == 0] = -np.inf
    gain[np.arange(len(sizes)), sides] = -np.inf
    chosen, side = np.unravel_index(np.argmax(gain), gain.shape)
    if not gain[chosen, side] > _LEAST_GAIN:
        return False
    sides[chosen] = side
    return True


def _exchange(sizes: Counts, sides: Counts, held: Counts, shares: Shares) -> bool:
    """Exchange, in place, the sides of the two sets that most improve the shares; returns False if no pair does."""
    counts = held + _counts(sizes, sides, len(shares))
    excess = counts - shares * counts.sum()
    best, pair = _LEAST_GAIN, (0, 0)
    for here in np.flatnonzero(shares > 0):
        for there in np.flatnonzero((shares > 0) & (excess < excess[here])):
            ours, theirs = np.flatnonzero(sides == here), np.flatnonzero(sides == there)
            if not len(ours) or not len(theirs):
                continue
            apart = excess[here] - excess[there]
            theirs = theirs[np.argsort(sizes[theirs], kind="stable")]
            # An exchange moves the difference of two sizes; half of the difference between the sides is best.
            place = np.searchsorted(sizes[theirs], sizes[ours] - apart / 2)
            for nearest in (np.maximum(place - 1, 0), np.minimum(place, len(theirs) - 1)):
                moved = sizes[ours] - sizes[theirs[nearest]]
                gain = 2 * moved * (apart - moved)
                first = int(np.argmax(gain))
                if gain[first] > best:
                    best, pair = float(gain[first]), (int(ours[first]), int(theirs[nearest[first]]))
    if pair == (0, 0):
        return False
    one, other = pair
    sides[one], sides[other] = sides[other], sides[one]
    return True
