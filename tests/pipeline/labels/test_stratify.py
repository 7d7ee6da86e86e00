from __future__ import annotations

import numpy as np
import pytest

from pipeline.labels.stratify import stratified_sides


def _labels(seed: int, groups: int, tags: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks in groups of one to twelve; each group has its own taste in tags."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), random.integers(1, 13, groups))
    taste = random.random((groups, tags)) < 3 / (5 + 4 * np.arange(tags))
    has = taste[group] & (random.random((len(group), tags)) < 0.7)
    track, tag = np.nonzero(has)
    return group, track, tag


def _shares(side: np.ndarray, track: np.ndarray, tag: np.ndarray, tags: int) -> np.ndarray:
    """The share of each tag's tracks on each side, [tags, sides]."""
    counts = np.zeros((tags, 3))
    np.add.at(counts, (tag, side[track]), 1)
    return counts / counts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_every_tag_is_spread_as_the_ratios_say_far_better_than_by_chance(seed: int) -> None:
    group, track, tag = _labels(seed, groups=600, tags=40)
    order = np.random.default_rng(seed).permutation(600)
    ratios = np.array([80.0, 10.0, 10.0])
    side = stratified_sides(group, track, tag, ratios, order)
    chance = np.searchsorted([0.8, 0.9], np.random.default_rng(seed).random(600), side="right")
    error, by_chance = (np.abs(_shares(one[group], track, tag, 40) - [0.8, 0.1, 0.1]) for one in (side, chance))
    frequent = [len(np.unique(group[track[tag == number]])) >= 40 for number in range(40)]
    assert error[frequent].max() < 0.025 < 0.05 < by_chance[frequent].max()
    assert error.mean() < 0.01 < 0.05 < by_chance.mean()
    sizes = np.bincount(side[group], minlength=3) / len(group)
    assert np.abs(sizes - [0.8, 0.1, 0.1]).max() < 0.02


def test_a_tag_of_three_groups_reaches_all_three_sides() -> None:
    group = np.arange(30)
    track = np.array([3, 11, 20, *range(30)])
    tag = np.array([0, 0, 0, *[1] * 30])
    side = stratified_sides(group, track, tag, np.array([1.0, 1.0, 1.0]), np.arange(30))
    assert sorted(side[[3, 11, 20]]) == [0, 1, 2]


def test_a_side_without_a_share_gets_nothing_and_tracks_without_tags_are_dealt_too() -> None:
    group = np.arange(10)
    side = stratified_sides(group, np.array([0, 1]), np.array([0, 0]), np.array([1.0, 0.0, 1.0]), np.arange(10))
    assert sorted(np.bincount(side, minlength=3)) == [0, 5, 5]
    assert (side != 1).all()
    nothing = stratified_sides(group, np.empty(0, np.int64), np.empty(0, np.int64), np.ones(3), np.arange(10))
    assert sorted(np.bincount(nothing)) == [3, 3, 4]
