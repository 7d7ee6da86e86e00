"""Give the sides of a split their shares in whole sets of tracks: by hash where that is near, else by moving a few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEAR = 0.03  # of a side's share: no farther off, the hash alone decides, so that whole shards lie on one side
MOST_MOVES = 300  # after the cuts have moved; more sets than that come near by the cuts alone
_LEAST_GAIN = 1e-6  # of the squared error in tracks: less is rounding

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


def near_shares(sizes: Counts, hashed: Counts, held: Counts, shares: Shares) -> Counts:
    """A side for each set, such that no side stays empty that can be filled, and shares are near.

    With many sets the hash comes near by itself, and stays as it is. With few, the sets keep the order of their hash, the
    cuts move to where the tracks reach the shares, and then single sets move, or change places, as long as that helps.

    Args:
        sizes: tracks of each set that has no side yet, [sets], in the order of their hash.
        hashed: side of each by its hash, [sets].
        held: tracks that the sides have already and keep, [sides].
        shares: of the sides, [sides], in sum 1.

    Returns:
        Number of the side of each set, [sets].
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
    """The sides of sets, such that no side with a share stays empty that can be filled; see `near_shares`."""
    sides = sides.copy()
    for _ in shares:
        counts = held + _counts(sizes, sides, len(shares))
        if not np.any((counts == 0) & (shares > 0)):
            break
        _move(sizes, sides, held, shares)
    return sides


def _counts(sizes: Counts, sides: Counts, count: int) -> Counts:
    """Tracks of each side."""
    return np.bincount(sides, weights=sizes, minlength=count).astype(np.int64)


def _cut(sizes: Counts, lacking: Shares, shares: Shares) -> Counts:
    """Sides of sets in the order that they have, each side as many as bring it nearest to what it lacks.

    A set that is too large for some side goes where most is lacking, before the others are cut.
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
    """Move, in place, the one set that brings the shares nearest, or fills a side; returns False where none does."""
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
    """Let, in place, the two sets change sides that bring the shares nearest by it; returns False where none do."""
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
            # A change of sides moves the difference of two sizes; half of what lies between the sides is the best one.
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
