"""The maximum length of a track."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from pipeline.audio.causes import Cause, TrackRejected

if TYPE_CHECKING:  # the command line reads the default below and should not import numpy for it
    from schemas.features import Excerpt

MAX_SECONDS = 86_400.0  # longest source: one day


@dataclasses.dataclass(frozen=True)
class Limits:
    """Maximum lengths of a track.

    Attributes:
        seconds: Maximum length of the whole source.
        samples: Maximum length of the stored waveform; None for no limit.
    """

    seconds: float = MAX_SECONDS
    samples: int | None = None


class LengthCheck:
    """Rejects a source as soon as it exceeds the limits.

    Args:
        limits: Maximum lengths.
        excerpt: Part that is stored; except for `full`, its own length bounds the stored waveform.
        sample_rate: Sample rate of the stored waveform in Hz.
    """

    def __init__(self, limits: Limits, excerpt: Excerpt, sample_rate: int) -> None:
        self._limits = limits
        is_bounded = limits.samples is None or excerpt.where != "full"
        self._record_seconds = math.inf if is_bounded else (limits.samples or 0) / sample_rate

    def is_beyond(self, seconds: float) -> bool:
        return seconds > min(self._limits.seconds, self._record_seconds)

    def __call__(self, seconds: float) -> None:
        """Raise TrackRejected if a source of this length is too long."""
        if not self.is_beyond(seconds):
            return
        if seconds > self._limits.seconds:
            words = f"longer than the limit of {self._limits.seconds:g} s (--max-seconds of a build)"
        else:
            words = f"longer than {self._record_seconds:.0f} s, what a record of 2 GiB has room for; store an excerpt"
        raise TrackRejected(Cause.TOO_LONG, words)
