"""Keys, chord progressions and bars, which the parts of a piece share.

Pitches are MIDI note numbers (60 is middle C). A scale degree is an int: 0 is the tonic, 7 the tonic an octave up,
and negative degrees lie below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Tempo = Literal["slow", "medium", "fast"]

# Beats per minute; the gaps between the classes make the tempo tags unambiguous.
TEMPI: Final[dict[Tempo, tuple[float, float]]] = {
    "slow": (62.0, 76.0),
    "medium": (98.0, 124.0),
    "fast": (150.0, 180.0),
}

MAJOR = (0, 2, 4, 5, 7, 9, 11)  # semitones above the tonic
MINOR = (0, 2, 3, 5, 7, 8, 10)  # natural minor
DEGREES_PER_OCTAVE = 7

# Degrees of the chords' roots, one chord per bar. The first chord is the tonic and thirds follow the mode, so that a few
# bars are enough to hear whether a piece is major or minor.
MAJOR_PROGRESSIONS = ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (0, 0, 3, 4))
MINOR_PROGRESSIONS = ((0, 5, 2, 6), (0, 3, 0, 4), (0, 6, 5, 6), (0, 0, 3, 0))

LONG_SLOT = 1.9  # seconds; a longer bar in triple metre is halved, so that no gesture takes longer


@dataclass(frozen=True)
class Key:
    """A tonic and a mode.

    Attributes:
        tonic: Pitch class, 0 (C) to 11 (B).
        minor: True for natural minor, False for major.
    """

    tonic: int
    minor: bool

    def pitch(self, degree: int) -> int:
        """The MIDI pitch of a scale degree; degree 0 is the tonic in MIDI octave 0."""
        octave, step = divmod(degree, DEGREES_PER_OCTAVE)
        return self.tonic + 12 * octave + (MINOR if self.minor else MAJOR)[step]

    def degree_near(self, pitch: float) -> int:
        """The degree whose pitch is nearest to `pitch`; the lower one of two."""
        guess = round((pitch - self.tonic) / 12 * DEGREES_PER_OCTAVE)
        return min(range(guess - 2, guess + 3), key=lambda degree: (abs(self.pitch(degree) - pitch), degree))

    def chord_degree_near(self, root: int, pitch: float) -> int:
        """The degree, among root, third and fifth of the triad on `root` in any octave, nearest to `pitch`."""
        centre = self.degree_near(pitch)
        in_chord = [
            degree
            for degree in range(centre - DEGREES_PER_OCTAVE, centre + DEGREES_PER_OCTAVE)
            if (degree - root) % DEGREES_PER_OCTAVE in (0, 2, 4)
        ]
        return min(in_chord, key=lambda degree: (abs(self.pitch(degree) - pitch), degree))

    def chord(self, root: int, lowest: int) -> list[int]:
        """The three pitches of the triad on `root`, each at or less than an octave above the pitch `lowest`."""
        pitches = [self.pitch(root + step) for step in (0, 2, 4)]
        return sorted(lowest + (pitch - lowest) % 12 for pitch in pitches)


@dataclass(frozen=True)
class Slot:
    """A stretch of music for one gesture: half a bar in quadruple metre, a bar or half a bar in triple metre.

    Attributes:
        number: Position in the piece, from 0.
        start: Start in seconds.
        seconds: Length in seconds.
        beats: Length in beats.
        root: Degree of the chord's root.
    """

    number: int
    start: float
    seconds: float
    beats: float
    root: int


@dataclass(frozen=True)
class Metre:
    """Tempo, bars and chords of a piece.

    Attributes:
        bpm: Beats per minute.
        beats_per_bar: 3 or 4.
        progression: Degrees of the chords' roots, one per bar, repeated.
        seconds: Length of the piece in seconds.
    """

    bpm: float
    beats_per_bar: int
    progression: tuple[int, ...]
    seconds: float

    @property
    def beat(self) -> float:
        """Seconds per beat."""
        return 60.0 / self.bpm

    @property
    def bar(self) -> float:
        """Seconds per bar."""
        return self.beat * self.beats_per_bar

    def bars(self) -> list[tuple[float, int]]:
        """The (start in seconds, chord root) of each bar that begins within the piece."""
        count = math.ceil(self.seconds / self.bar)
        return [(number * self.bar, self.progression[number % len(self.progression)]) for number in range(count)]

    def slots(self) -> list[Slot]:
        """The stretches that gestures fill, in order, to the end of the last bar."""
        whole_bar = self.beats_per_bar == 3 and self.bar <= LONG_SLOT
        per_bar = 1 if whole_bar else 2
        length = self.bar / per_bar
        return [
            Slot(bar * per_bar + part, start + part * length, length, self.beats_per_bar / per_bar, root)
            for bar, (start, root) in enumerate(self.bars())
            for part in range(per_bar)
        ]
