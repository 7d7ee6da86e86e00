"""Balanced sampling: how often an epoch draws each track, and which tracks it draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def balanced_rates(targets: npt.NDArray[np.float32], positive_at: float) -> npt.NDArray[np.float64]:
    """How often an epoch draws each track on average, so that tags come up about equally often.

    After the balanced sampling of Kong et al., "PANNs", arXiv:1912.10211, which fills a batch with about as many clips of
    every class. Here a track has a weight by the rarest of its tags. Let n(t) be the number of tracks with the tag t, P
    that of tracks with any tag, and N that of all tracks. A track with tags has the weight w = 1 / min n(t) over its
    tags; an epoch draws it P * w / (sum of w over tracks with tags) times on average, and a track without a tag once.
    The N draws of an epoch are as many as without balancing, and the probability that one of them, picked at random, is
    of a given track is the track's rate / N.

    Every tag then has at least 1 / (number of tags) of the draws of tracks with tags, and more if tracks have it beside
    a rarer one.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown.
        positive_at: lowest target with which a track has a tag; it does not have an unknown one.

    Returns:
        float64 [tracks], whose sum is the number of tracks up to rounding.
    """
    has = targets >= positive_at
    counts = np.maximum(1, np.count_nonzero(has, axis=0))
    # One tag at a time: a matrix of weights would be eight times as large as that of the tags.
    weights = np.zeros(len(targets))
    for tag, count in enumerate(counts):
        np.maximum(weights, 1 / count, out=weights, where=has[:, tag])
    tagged = weights > 0
    rates = np.ones(len(targets))
    if tagged.any():
        rates[tagged] = np.count_nonzero(tagged) * weights[tagged] / weights.sum()
    return rates


def drawn_tracks(rates: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw as many tracks as there are, each as often as its rate says, rounded up or down at random.

    The whole part of a rate is drawn for certain; the rest is a systematic sample (points at equal distances over the
    remainders, laid side by side in random order), so that the mean over epochs is the rate, with little variance.

    Args:
        rates: float64 [tracks], whose sum is the number of tracks.
        rng: the random numbers.

    Returns:
        int64 [tracks], sorted.
    """
    times = np.floor(rates).astype(np.int64)
    more = len(rates) - int(times.sum())
    if more:
        turn = rng.permutation(len(rates))
        ends = np.cumsum((rates - times)[turn])
        points = (rng.random() + np.arange(more)) / more
        # Rounding must not lead to a point behind the last remainder.
        points = np.minimum(points, np.nextafter(1.0, 0.0))
        np.add.at(times, turn[np.searchsorted(ends / ends[-1], points, side="right")], 1)
    return np.repeat(np.arange(len(rates)), times)
