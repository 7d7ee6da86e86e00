from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from benchmarks.interval_coverage import OF_ONE_RUN, OF_TWO_RUNS, World, coverage
from training.metrics.intervals import (
    LEAST_GROUPS,
    Support,
    area_interval,
    difference_interval,
    root_interval,
    standard_error,
    too_few_groups,
)

RNG = np.random.default_rng(5)
MANY = Support(20, 20)


def _without(values: np.ndarray) -> np.ndarray:
    """For each value, the mean of all other values."""
    return (values.sum() - values) / (len(values) - 1)


@pytest.mark.parametrize(("groups", "repeats"), [(10, 400), (30, 300), (100, 200)])
def test_intervals_hold_the_truth_as_often_as_they_say_where_tracks_of_an_artist_are_alike(
    groups: int, repeats: int
) -> None:
    found = coverage(World(), groups, repeats)
    one_run = [found[name] for name in OF_ONE_RUN]
    two_runs = [share for name, share in found.items() if name.startswith("difference")]
    assert len(two_runs) == 2 * len(OF_TWO_RUNS)
    assert 0.92 <= np.mean(one_run) <= 0.97
    assert 0.92 <= np.mean(two_runs) <= 0.97
    assert min(found.values()) >= 0.9


def test_the_interval_and_p_of_a_mean_are_those_of_students_t_test() -> None:
    values = RNG.normal(0.3, 1, size=20)
    ends, p = difference_interval(values.mean(), _without(values), MANY)
    expected = ttest_1samp(values, 0)
    assert p == pytest.approx(expected.pvalue)
    assert ends == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert standard_error(_without(values)) == pytest.approx(values.std(ddof=1) / math.sqrt(20))


def test_an_area_has_its_interval_on_the_logit_scale_within_0_and_1() -> None:
    values = np.array([0.999] * 19 + [0.9])
    area = values.mean()
    low, high = area_interval(area, _without(values), MANY)
    assert 0 < low < area < high < 1
    half = t.ppf(0.975, 19) * standard_error(_without(values)) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    assert [math.log(end / (1 - end)) for end in (low, high)] == pytest.approx([logit - half, logit + half])
    assert high - area < area - low


def test_a_tag_of_few_artists_has_the_t_of_those_few() -> None:
    values = RNG.normal(size=20)
    wide, narrow = (difference_interval(0.1, _without(values), Support(20, fewer)) for fewer in (5, 20))
    assert wide[0][1] - wide[0][0] == pytest.approx((narrow[0][1] - narrow[0][0]) * t.ppf(0.975, 8) / t.ppf(0.975, 19))
    assert wide[1] > narrow[1]


@pytest.mark.parametrize("support", [Support(LEAST_GROUPS - 1, 9), Support(2, 2), Support(50, 4), Support(50, 0)])
def test_too_few_groups_have_no_interval(support: Support) -> None:
    values = RNG.random(support.groups)
    assert np.isnan(area_interval(0.7, values, support)).all()
    assert np.isnan(root_interval(0.7, values, support)).all()
    assert np.isnan(difference_interval(0.1, values, support)[0]).all()
    assert math.isnan(difference_interval(0.1, values, support)[1])


def test_what_does_not_differ_has_no_spread_and_a_figure_at_its_bound_has_none_known() -> None:
    same = np.zeros(20)
    assert difference_interval(0.0, same, MANY) == ((0.0, 0.0), 1.0)
    assert np.isnan(difference_interval(0.1, same + 0.1, MANY)[0]).all()
    for bound in (0.0, 1.0, math.nan):
        assert np.isnan(area_interval(bound, np.full(20, bound), MANY)).all()


def test_the_words_name_the_groups_that_there_are_and_that_it_takes() -> None:
    assert "1 group (artists) is not enough for an interval" in too_few_groups(1)
    assert "9 groups (artists) are not enough for an interval: it needs at least 10, 5 of them" in too_few_groups(9)
