"""Scores as whole numbers, in which DuckDB counts exactly: its sums of floats depend on how it divides the work.

A float16 from 0 to 1 is one of 15,361 values. Its bits, read as a number, are its step: the number of smaller ones. Each is also
a whole number of units of 2**-24, the smallest of them. Steps rank and compare scores; units add them up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNIT = 2.0**-24
_ONE = int(np.float16(1).view(np.uint16))
_NEGATIVE_ZERO = np.uint16(0x8000)
_VALUES = np.arange(_ONE + 1, dtype=np.uint16).view(np.float16).astype(np.float64)

# The units of a step, for DuckDB: below 1,024 steps are units; then each further 1,024 are twice as far apart.
UNITS_MACRO = """CREATE MACRO units(step) AS (
    CASE WHEN step < 1024 THEN step::BIGINT ELSE (1024 + step % 1024)::BIGINT << (step // 1024 - 1)::BIGINT END)"""


def steps_of(scores: npt.NDArray[np.float16]) -> npt.NDArray[np.uint16]:
    """The steps of scores; raises ValueError unless all are numbers from 0 to 1."""
    bits = scores.view(np.uint16)
    steps = np.where(bits == _NEGATIVE_ZERO, np.uint16(0), bits)
    if steps.size and steps.max() > _ONE:  # greater are numbers above 1, infinity, NaN, and all with a sign
        raise ValueError("expected scores from 0 to 1, found others")
    return steps


def scores_of(steps: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """The scores of steps."""
    return _VALUES[steps]


def lowest_step(threshold: float | None) -> int:
    """Step of the lowest score that reaches a threshold; one that no score has if it is None, or above 1."""
    return len(_VALUES) if threshold is None else int(np.searchsorted(_VALUES, threshold))
