"""Extrapolate from a sample: the regression estimator of survey sampling, with its uncertainty."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.linalg
import scipy.stats

from schemas.features import Excerpt

CONFIDENCE = 0.95
_LEAST_PER_FACTOR = 5  # sampled tracks per factor; fewer do not show how cost depends on it

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval.

    Attributes:
        value: The estimate.
        low, high: Ends of the interval; both equal the value if nothing is uncertain.
    """

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def plus(self, constant: float) -> Interval:
        return Interval(self.value + constant, self.low + constant, self.high + constant)


def factors_of(catalog: pa.Table, excerpt: Excerpt, sampled: int) -> Floats:
    """Factors of each track in a catalog on which its cost may depend.

    Args:
        catalog: A table with a column `duration` in seconds; null if unknown.
        excerpt: Part of each track that is stored.
        sampled: Number of tracks decoded for the estimate.

    Returns:
        [tracks, factors]: 1 for each track; if every row has a duration, also the stored seconds and the seconds of the whole
        track, which some formats decode in full.
    """
    ones = np.ones((catalog.num_rows, 1))
    seconds = catalog["duration"].to_numpy().astype(np.float64)  # null becomes NaN
    if not (np.isfinite(seconds) & (seconds >= 0)).all():
        return ones
    stored = seconds if excerpt.where == "full" else np.minimum(seconds, excerpt.seconds)
    factors = np.column_stack([ones, stored, seconds])
    return factors if sampled >= _LEAST_PER_FACTOR * factors.shape[1] else ones


class Extrapolation:
    """Totals of a population from values measured on a simple random sample of it.

    This is the regression estimator (Särndal, Swensson, Wretman: Model Assisted Survey Sampling, 1992, chapter 6), a weighted
    sum of the sample. With only the constant factor it is the mean times the number. With durations it works like a ratio
    estimator, and also allows for a fixed cost per track.

    Args:
        population: Factors of all tracks, [tracks, factors], see `factors_of`.
        places: Rows of the sampled tracks.
    """

    def __init__(self, population: Floats, places: npt.NDArray[np.int64]) -> None:
        largest = population.max(axis=0)
        self._population = population / np.where(largest > 0, largest, 1)
        self._sample = self._population[places]
        self._inverse, rank = scipy.linalg.pinv(self._sample, rtol=1e-9, return_rank=True)
        self._weights = self._population.sum(axis=0) @ self._inverse
        self._free = len(places) - int(rank)  # degrees of freedom

    def total(self, values: Floats) -> Interval:
        """The population's total.

        Args:
            values: Values of the sample, [sampled], none below 0, so that the total is at least their sum.
        """
        seen = float(values.sum())
        if len(self._sample) == len(self._population):
            return Interval(seen, seen, seen)
        value = float(self._weights @ values)
        residuals = values - self._sample @ (self._inverse @ values)
        unseen = 1 - len(self._sample) / len(self._population)
        # Each residual has its track's own weight, which stays correct if long tracks vary more than short ones.
        variance = unseen * len(values) / self._free * float(np.square(self._weights * residuals).sum())
        half = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, self._free)) * variance**0.5
        return Interval(max(value, seen), max(value - half, seen), max(value + half, seen))

    def each(self, values: Floats) -> Floats:
        """Expected value of each track of the population, [tracks]."""
        expected: Floats = np.maximum(self._population @ (self._inverse @ values), 0)
        return expected


def share(count: int, sampled: int, population: int) -> Interval:
    """The share of a population with a property that `count` members of a sample have.

    The interval is that of Clopper and Pearson, limited to the shares that are possible given the sample.
    """
    bounds = scipy.stats.binomtest(count, sampled).proportion_ci(CONFIDENCE, method="exact")
    least, most = count / population, (count + population - sampled) / population
    return Interval(count / sampled, max(float(bounds.low), least), min(float(bounds.high), most))


def allowing_for(total: Interval, rejects: Interval) -> Interval:
    """A total over stored tracks, with its interval widened by that of the share of rejects.

    The totals of a sample without rejects do not reflect rejects that there may be among the other tracks.
    """
    fewest, most = ((1 - end) / (1 - rejects.value) * total.value for end in (rejects.high, rejects.low))
    return Interval(total.value, min(total.low, fewest), max(total.high, most))
