"""Notes on paper: what composition writes and synthesis plays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        start: seconds from the start of the piece.
        end: seconds; later than `start`.
        pitch: MIDI note number, or the number of the drum on a drum part.
        velocity: 1 to 127.
    """

    start: float
    end: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Curve:
    """A value that changes while notes sound, as a list of steps.

    Attributes:
        times: seconds, ascending.
        values: the value from each time on.
    """

    times: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Attributes:
        program: General MIDI program, 0 to 127; on a drum part the number of the drum kit.
        notes: in any order.
        level: loudness of the part in the mix, dB.
        pan: -1 (left) to 1 (right).
        drums: whether this is a drum part.
        bend: semitones added to the pitch.
        swell: dB added to the loudness, 0 or less.
    """

    program: int
    notes: tuple[Note, ...]
    level: float
    pan: float
    drums: bool = False
    bend: Curve = Curve()
    swell: Curve = Curve()


@dataclass(frozen=True)
class Piece:
    """A whole piece.

    Attributes:
        parts: the instruments that play.
        seconds: its length.
        tuning: how far the whole piece is out of tune, semitones.
    """

    parts: tuple[Part, ...]
    seconds: float
    tuning: float


def within(notes: list[Note], seconds: float) -> tuple[Note, ...]:
    """The notes that start within a piece of `seconds`, cut off at its end."""
    return tuple(
        Note(note.start, min(note.end, seconds), note.pitch, note.velocity) for note in notes if note.start < seconds
    )
