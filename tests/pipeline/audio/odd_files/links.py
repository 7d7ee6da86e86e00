"""The links of a chained Ogg file, and the lateness of one sound in another."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import scipy.signal

_FIRST_OF_STREAM = re.compile(rb"OggS\0[\2\3]")


def links_of(data: bytes) -> list[bytes]:
    """The links of a chained Ogg file, each as a file with one stream."""
    starts = [found.start() for found in _FIRST_OF_STREAM.finditer(data)]
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def lateness_of(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.int16], expected: int, slack: int
) -> tuple[int, float]:
    """How many samples later than expected a sound begins in another, and its similarity to the samples there, at most 1.

    Args:
        part: the sound to find.
        whole: the sound to search.
        expected: sample at which it should begin.
        slack: how many samples later it may begin.
    """
    there = whole[expected : expected + len(part) + slack].astype(float)
    there = np.pad(there, (0, len(part) + slack - len(there)))
    likeness = scipy.signal.correlate(there, part, mode="valid", method="fft")
    late = int(likeness.argmax())
    powers = np.square(there[late : late + len(part)]).sum() * np.square(part).sum()
    return late, float(likeness[late] / max(np.sqrt(powers), 1.0))


def check_right_or_flagged(
    found: npt.NDArray[np.int16], flags: tuple[str, ...], expected: npt.NDArray[np.float64]
) -> None:
    """Check that samples are the expected ones, or a part of them from the start that is flagged as such."""
    assert len(found) <= len(expected)
    if len(found) < len(expected):
        assert {"truncated", "corrupt"} & set(flags)
        found, expected = found[:-400], expected[: len(found) - 400]  # the end of a signal affects its resampling
    else:
        assert flags == ()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1)
