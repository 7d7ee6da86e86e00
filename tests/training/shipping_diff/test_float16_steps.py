from __future__ import annotations

import duckdb
import numpy as np
import pytest

from training.shipping_diff.float16_steps import UNIT, UNITS_MACRO, lowest_step, scores_of, steps_of

EVERY = np.arange(15_361, dtype=np.uint16).view(np.float16)


def test_steps_of_every_score_from_0_to_1_are_exact() -> None:
    assert (float(EVERY[0]), float(EVERY[-1])) == (0.0, 1.0)
    steps = steps_of(EVERY)
    assert (np.diff(steps.astype(int)) == 1).all()
    assert (scores_of(steps) == EVERY.astype(np.float64)).all()
    database = duckdb.connect()
    database.execute(UNITS_MACRO)
    units = database.execute("SELECT units(step::USMALLINT) AS units FROM range(15361) AS made(step)").fetchnumpy()
    assert (units["units"] * UNIT == EVERY.astype(np.float64)).all()
    assert steps_of(np.array([-0.0], np.float16)).tolist() == [0]


@pytest.mark.parametrize("threshold", [0.0, 1e-9, 0.1, 0.3, 0.5, 0.5000001, 0.9999, 1.0])
def test_a_threshold_divides_scores_as_float64_does(threshold: float) -> None:
    assert ((steps_of(EVERY) >= lowest_step(threshold)) == (EVERY.astype(np.float64) >= threshold)).all()


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.01, np.inf])
def test_what_is_no_score_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="expected scores from 0 to 1"):
        steps_of(np.array([0.5, value], np.float16))
