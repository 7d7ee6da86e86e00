"""Balanced sampling draws tracks at the stated rates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.data.sampling import balanced_rates, drawn_tracks

EPOCHS = 2000


@pytest.fixture
def targets() -> np.ndarray:
    """20 tracks: 12 have tag 0, 4 have tag 1 (two of them both), one has tag 2, two have no tag, one has none that is known."""
    targets = np.zeros((20, 4), np.float32)
    targets[:12, 0] = 1
    targets[10:14, 1] = 1
    targets[14, 2] = 1
    targets[15, 0] = 0.4
    targets[17] = np.nan
    targets[18:, 1] = np.nan
    targets[18:, 2] = 1
    targets[3, 2] = np.nan
    return targets


def test_rates_are_those_of_the_rarest_tag(targets: np.ndarray) -> None:
    rates = balanced_rates(targets, 0.5)
    # 10 tracks by tag 0 (12 have it), 4 by tag 1 (4 have it), 3 by tag 2 (3 have it).
    total = 10 / 12 + 4 / 4 + 3 / 3
    expected = np.ones(20)
    expected[:10], expected[10:14], expected[[14, 18, 19]] = (17 * each / total for each in (1 / 12, 1 / 4, 1 / 3))
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    assert rates.sum() == pytest.approx(20)
    assert balanced_rates(targets, 0.3)[15] < 1, "a graded target counts from positive_at on"
    assert balanced_rates(np.zeros((5, 2), np.float32), 0.5).tolist() == [1] * 5


def test_draws_have_the_stated_probabilities(targets: np.ndarray) -> None:
    rates = balanced_rates(targets, 0.5)
    rng = np.random.default_rng(1)
    times, picked = np.zeros((EPOCHS, 20)), np.zeros(20)
    for epoch in range(EPOCHS):
        drawn = drawn_tracks(rates, rng)
        times[epoch] = np.bincount(drawn, minlength=20)
        picked[rng.choice(drawn)] += 1
    assert (times.sum(axis=1) == 20).all(), "an epoch has as many draws as without balancing"
    assert ((times == np.floor(rates)) | (times == np.ceil(rates))).all()
    assert (times[:, [15, 16, 17]] == 1).all(), "tracks without a tag are drawn at the natural rate"
    part = rates % 1
    deviation = np.sqrt(part * (1 - part) / EPOCHS)
    assert (np.abs(times.mean(axis=0) - rates) <= 4 * deviation + 1e-9).all()
    assert stats.chisquare(picked, rates / 20 * EPOCHS).pvalue > 0.01


def test_tags_come_up_about_equally_often() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((20_000, 8)) < 0.3 / 2.0 ** np.arange(8)).astype(np.float32)
    before = targets.sum(axis=0)
    drawn = targets[drawn_tracks(balanced_rates(targets, 0.5), rng)]
    after = drawn.sum(axis=0)
    assert before.max() / before.min() > 100
    assert after.max() / after.min() < 3, "tags come up beside rarer ones too"
    assert (after >= drawn.any(axis=1).sum() / 8 - 1).all()


@pytest.mark.parametrize("seed", range(20))
def test_any_rates_give_as_many_draws_as_there_are_tracks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = rng.random(1000) ** 9
    rates *= len(rates) / rates.sum()
    drawn = drawn_tracks(rates, rng)
    assert len(drawn) == 1000
    assert (np.diff(drawn) >= 0).all()
