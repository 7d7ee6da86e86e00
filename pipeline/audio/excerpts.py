"""Which frames of a source an excerpt needs, so that the rest is not resampled and, where possible, not decoded."""

from __future__ import annotations

import dataclasses
import math

from schemas.features import Excerpt

_ENDLESS_SECONDS = 1 << 32
_WARM_UP_SECONDS = 0.25  # on either side, in which the resampler's filter forgets that the signal began or ended there


@dataclasses.dataclass(frozen=True)
class Window:
    """The part of a source from which an excerpt is made.

    What a resampler makes of it is the excerpt of the resampled whole but for float32 rounding: one step of int16 in
    0.1 % of samples, measured.

    Attributes:
        first: frame of the source, a multiple of the period after which source and result are in phase again.
        end: one past the last frame.
        skip: samples of the result that come before the excerpt.
        samples: of the excerpt.
    """

    first: int
    end: int
    skip: int
    samples: int


def window_of(excerpt: Excerpt, frames: int | None, source_rate: int, target_rate: int) -> Window | None:
    """The window of an excerpt in a source of `frames` frames; None where it needs the whole.

    Args:
        excerpt: which part.
        frames: length of the source; None where it is unknown.
        source_rate: Hz.
        target_rate: of the stored waveform, Hz.
    """
    if excerpt.where == "full" or (excerpt.where == "center" and frames is None):
        return None
    if frames is None:  # where a track starts does not depend on where it ends
        frames = _ENDLESS_SECONDS * source_rate
    total = resampled_length(frames, source_rate, target_rate)
    begin, end = excerpt.bounds(total, target_rate)
    if (begin, end) == (0, total):
        return None
    common = math.gcd(source_rate, target_rate)
    period, period_samples = source_rate // common, target_rate // common
    warm_up = 0 if source_rate == target_rate else math.ceil(_WARM_UP_SECONDS * target_rate)
    periods = max(0, begin - warm_up) // period_samples
    return Window(
        first=periods * period,
        end=min(frames, -(-(end + warm_up) * source_rate // target_rate)),
        skip=begin - periods * period_samples,
        samples=end - begin,
    )


def resampled_length(frames: int, source_rate: int, target_rate: int) -> int:
    """Samples that soxr makes of `frames` frames."""
    return (2 * frames * target_rate + source_rate) // (2 * source_rate)
