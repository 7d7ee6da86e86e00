"""The extrapolation from a sample to all tracks is exact where it can be, and its intervals cover as often as promised."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.estimate.extrapolate import Extrapolation, Interval, allowing_for, factors_of, share
from schemas.features import Excerpt

TRACKS = 3000
SAMPLE = 50
CENTER = Excerpt.parse("center:30")


def catalog(durations: list[float | None]) -> pa.Table:
    return pa.table({"duration": pa.array(durations, pa.float64())})


@pytest.fixture(scope="module")
def population() -> tuple[np.ndarray, np.ndarray]:
    """Durations and costs: a cost has a part per track and a noisy part per second; some tracks are rejected."""
    rng = np.random.default_rng(0)
    durations = rng.lognormal(5.3, 0.6, TRACKS)
    cost = 0.02 + durations * rng.gamma(20, 1 / 20 / 700, TRACKS)
    cost[rng.random(TRACKS) < 0.03] = 0.001
    return durations, cost


def intervals(population: tuple[np.ndarray, np.ndarray], *, with_durations: bool, draws: int = 300) -> list[Interval]:
    durations, cost = population
    factors = factors_of(catalog(list(durations) if with_durations else [None] * TRACKS), CENTER, SAMPLE)
    rng = np.random.default_rng(1)
    places = (rng.choice(TRACKS, SAMPLE, replace=False) for _ in range(draws))
    return [Extrapolation(factors, place).total(cost[place]) for place in places]


@pytest.mark.parametrize("with_durations", [False, True])
def test_intervals_cover_the_truth_as_often_as_they_say(
    population: tuple[np.ndarray, np.ndarray], with_durations: bool
) -> None:
    truth = population[1].sum()
    found = intervals(population, with_durations=with_durations)
    assert 0.9 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.99
    assert np.mean([one.value for one in found]) == pytest.approx(truth, rel=0.02)


def test_durations_make_intervals_much_narrower(population: tuple[np.ndarray, np.ndarray]) -> None:
    without, with_them = (
        np.mean([one.high - one.low for one in intervals(population, with_durations=known, draws=50)])
        for known in (False, True)
    )
    assert with_them < without / 1.8


def test_what_is_proportional_to_the_stored_seconds_is_predicted_exactly() -> None:
    durations = np.random.default_rng(0).uniform(5, 300, 200)
    stored = np.minimum(durations, 30) * 32_000
    extrapolation = Extrapolation(factors_of(catalog(list(durations)), CENTER, SAMPLE), np.arange(SAMPLE))
    total = extrapolation.total(stored[:SAMPLE])
    assert (total.low, total.value, total.high) == pytest.approx((stored.sum(),) * 3)
    np.testing.assert_allclose(extrapolation.each(stored[:SAMPLE]), stored)


def test_a_sample_of_all_has_the_very_total_and_no_interval() -> None:
    values = np.array([0.1, 0.7, 0.2])
    total = Extrapolation(factors_of(catalog([10, 20, 30]), CENTER, 3), np.array([2, 0, 1])).total(values)
    assert total == Interval(*(float(values.sum()),) * 3)


def test_a_total_is_never_less_than_what_was_seen() -> None:
    total = Extrapolation(np.ones((5, 1)), np.arange(4)).total(np.array([0.0, 0.0, 0.0, 8.0]))
    assert total.low == 8
    assert total.high > total.value == 10


@pytest.mark.parametrize("gap", [None, float("nan"), float("inf"), -1.0])
def test_durations_count_only_where_every_row_has_a_sound_one(gap: float | None) -> None:
    assert factors_of(catalog([100.0, 20.0, gap]), CENTER, SAMPLE).tolist() == [[1]] * 3
    assert factors_of(catalog([100.0, 20.0]), CENTER, SAMPLE).tolist() == [[1, 30, 100], [1, 20, 20]]
    assert factors_of(catalog([100.0, 20.0]), Excerpt.parse("full"), SAMPLE).tolist() == [[1, 100, 100], [1, 20, 20]]


def test_few_sampled_tracks_do_not_tell_how_cost_depends_on_length() -> None:
    assert factors_of(catalog([100.0, 20.0]), CENTER, 14).shape[1] == 1
    assert factors_of(catalog([100.0, 20.0]), CENTER, 15).shape[1] == 3


def test_equal_durations_are_no_trouble() -> None:
    cost = np.random.default_rng(0).uniform(1, 2, 100)
    total = Extrapolation(factors_of(catalog([200.0] * 100), CENTER, SAMPLE), np.arange(SAMPLE)).total(cost[:SAMPLE])
    plain = Extrapolation(np.ones((100, 1)), np.arange(SAMPLE)).total(cost[:SAMPLE])
    assert (total.low, total.value, total.high) == pytest.approx((plain.low, plain.value, plain.high))


def test_a_share_has_an_interval_unless_all_were_seen() -> None:
    assert share(1, 4, 4) == Interval(0.25, 0.25, 0.25)
    none = share(0, 50, 1000)
    assert none.low == none.value == 0
    assert none.high == pytest.approx(0.0711, abs=1e-3)  # 1 - 0.025 ** (1 / 50)
    assert share(10, 48, 50) == Interval(10 / 48, 10 / 50, 12 / 50)  # two tracks are not sampled


def test_a_sample_without_a_reject_allows_for_some_among_the_rest() -> None:
    total = allowing_for(Interval(100.0, 99.0, 101.0), Interval(0.0, 0.0, 0.07))
    assert (total.value, total.low, total.high) == pytest.approx((100, 93, 101))
    total = allowing_for(Interval(90.0, 89.0, 91.0), Interval(0.1, 0.02, 0.2))
    assert (total.value, total.low, total.high) == pytest.approx((90, 80, 98))
