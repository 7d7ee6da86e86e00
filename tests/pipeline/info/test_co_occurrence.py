from __future__ import annotations

import itertools

import numpy as np

from pipeline.info.co_occurrence import count_pairs


def test_counts_are_those_of_sets_for_wanted_pairs_and_for_those_nearly_on_the_same_tracks() -> None:
    rng = np.random.default_rng(0)
    tracks, tags = 200, 700  # several blocks
    has = rng.random((tracks, tags)) < 0.1
    has[:, 650] = has[:, 3] ^ (rng.random(tracks) < 0.01)
    has[:, 699], has[:, 698] = False, False
    has[:2, 698:] = True  # they are on the same tracks, but on too few
    track, tag = (each.astype(np.int32) for each in np.nonzero(has))
    wanted = np.array([(0, 1), (5, 600), (300, 301), (697, 699)])
    pairs = count_pairs(track, tag, has.shape, wanted, jaccard=0.6, support=5)
    found = {(a, b): both for a, b, both in zip(pairs.first, pairs.second, pairs.both, strict=True)}
    sets = [set(np.flatnonzero(has[:, place])) for place in range(tags)]
    near = {
        (a, b)
        for a, b in itertools.combinations(range(tags), 2)
        if min(len(sets[a]), len(sets[b])) >= 5 and len(sets[a] & sets[b]) >= 0.6 * len(sets[a] | sets[b])
    }
    assert near == {(3, 650)}
    assert found == {(a, b): len(sets[a] & sets[b]) for a, b in {*near, *map(tuple, wanted.tolist())}}


def test_a_label_version_without_a_positive_has_no_pairs() -> None:
    none = np.empty(0, np.int32)
    pairs = count_pairs(none, none, (0, 3), np.array([(0, 1)]), jaccard=0.6, support=1)
    assert pairs.both.tolist() == [0]
    assert count_pairs(none, none, (0, 3), np.empty((0, 2), np.int64), jaccard=0.6, support=1).both.tolist() == []
