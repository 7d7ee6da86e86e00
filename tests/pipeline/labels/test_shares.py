from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.labels.shares import NEAR, filled, near_shares

SHARES = np.array([0.8, 0.1, 0.1])
NONE = np.zeros(3, np.int64)


def _hashed(count: int, rng: np.random.Generator, shares: np.ndarray = SHARES) -> np.ndarray:
    return np.searchsorted(np.cumsum(shares)[:2], np.sort(rng.random(count)), side="right")


def _counts(sizes: np.ndarray, sides: np.ndarray) -> np.ndarray:
    return np.bincount(sides, weights=sizes, minlength=3)


@pytest.mark.parametrize("groups", [3, 4, 5, 9, 12, 20, 30, 50, 100, 200])
def test_no_side_is_empty_and_equal_groups_fall_as_near_as_whole_ones_allow(groups: int) -> None:
    sizes = np.full(groups, 7)
    for seed in range(50):
        hashed = _hashed(groups, np.random.default_rng(seed))
        counts = _counts(np.ones(groups), near_shares(sizes, hashed, NONE, SHARES))
        best = min(
            (
                abs(train - 0.8 * groups) ** 2
                + abs(one - 0.1 * groups) ** 2
                + abs(groups - train - one - 0.1 * groups) ** 2
            )
            for train in range(1, groups)
            for one in range(1, groups - train)
        )
        assert counts.min() >= 1
        assert ((counts - SHARES * groups) ** 2).sum() <= best + 1e-9


def test_unequal_groups_come_as_near_as_the_best_of_all_ways_but_for_a_track_or_so() -> None:
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(60):
        sizes = rng.geometric(0.2, size=rng.integers(3, 8))
        sides = near_shares(sizes, _hashed(len(sizes), rng), NONE, SHARES)

        wanted = SHARES * sizes.sum()
        every = (_counts(sizes, np.array(way)) for way in itertools.product(range(3), repeat=len(sizes)))
        best = min(float(np.linalg.norm(counts - wanted)) for counts in every if counts.min() > 0)
        assert _counts(sizes, sides).min() > 0
        worst = max(worst, float(np.linalg.norm(_counts(sizes, sides) - wanted)) - best)
    assert worst < 2


def test_many_groups_keep_the_sides_of_their_hash() -> None:
    rng = np.random.default_rng(2)
    hashed = _hashed(100_000, rng)
    assert near_shares(rng.geometric(0.07, size=100_000), hashed, NONE, SHARES) is hashed


def test_a_huge_group_moves_the_cuts_and_leaves_the_others_in_the_order_of_their_hash() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.geometric(0.07, size=20_000)
    sizes[17_000] = sizes.sum() // 5  # its hash lies in validation, but it alone exceeds validation's share
    sides = near_shares(sizes, _hashed(20_000, rng), NONE, SHARES)
    assert np.abs(_counts(sizes, sides) / sizes.sum() - SHARES).max() < 0.001
    assert np.count_nonzero(np.diff(sides)) < 20  # long runs: nearly every shard lies on one side


@pytest.mark.parametrize("shares", [(0.9, 0.1, 0.0), (0.9, 0.0, 0.1), (0.0, 0.0, 1.0), (0.5, 0.25, 0.25)])
def test_a_side_without_a_share_gets_nothing_and_the_others_get_theirs(shares: tuple[float, float, float]) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, 30, size=10)
        counts = _counts(sizes, near_shares(sizes, _hashed(10, rng, np.array(shares)), NONE, np.array(shares)))
        assert ((counts > 0) == (np.array(shares) > 0)).all()


def test_groups_that_come_later_make_up_for_what_the_sides_lack() -> None:
    rng = np.random.default_rng(4)
    held = np.array([100, 0, 10])
    few = near_shares(np.full(3, 5), np.zeros(3, np.int64), held, SHARES)
    assert _counts(np.full(3, 5), few).tolist() == [0, 15, 0]
    sizes = rng.integers(1, 20, size=40)
    many = held + _counts(sizes, near_shares(sizes, _hashed(40, rng), held, SHARES))
    assert np.abs(many / many.sum() - SHARES).max() < NEAR * 0.1


def test_a_split_that_grows_by_a_group_at_a_time_stays_near_its_shares() -> None:
    rng = np.random.default_rng(5)
    held = NONE
    for groups in range(1, 200):
        size = rng.integers(1, 12, size=1)
        held = held + _counts(size, near_shares(size, _hashed(1, rng), held, SHARES)).astype(np.int64)
        if groups >= 60:
            assert np.abs(held / held.sum() - SHARES).max() < 0.03
    assert held.min() > 0


def test_filling_moves_no_more_than_what_is_empty() -> None:
    sizes = np.array([4, 3, 9, 5, 2])
    sides = np.array([0, 0, 0, 1, 0])
    mended = filled(sizes, sides, NONE, SHARES)
    assert np.count_nonzero(mended != sides) == 1
    assert sorted(set(mended)) == [0, 1, 2]
    whole = np.array([0, 0, 0, 1, 2])
    assert filled(sizes, whole, NONE, SHARES).tolist() == whole.tolist()
