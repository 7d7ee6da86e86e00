from __future__ import annotations

import collections

import numpy as np

from pipeline.info.tag_artists import tag_artists


def test_artists_are_those_of_a_plain_count_also_where_one_is_on_several_sides(make_rows) -> None:
    rng = np.random.default_rng(1)
    has = rng.random((300, 12)) < np.linspace(0, 0.3, 12)
    side, group = rng.integers(0, 3, 300), rng.integers(0, 20, 300)
    found = tag_artists(make_rows(has, side, group), 12)
    for tag in range(12):
        tracks = np.flatnonzero(has[:, tag])
        counts = collections.Counter(group[tracks].tolist())
        assert found.artists[tag] == len(counts)
        assert found.per_side[tag].tolist() == [len(set(group[tracks[side[tracks] == each]])) for each in range(3)]
        assert found.biggest_tracks[tag] == max(counts.values(), default=0)
        most = [artist for artist, count in counts.items() if count == max(counts.values())]
        assert found.biggest[tag] == min(most, default=-1)
