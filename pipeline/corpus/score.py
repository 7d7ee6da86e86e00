"""The score: composition writes it, and synthesis plays it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        start: Seconds from the start of the piece.
        end: Seconds from the start of the piece, later than `start`.
        pitch: MIDI note number, or the number of the drum in a drum part.
        velocity: MIDI velocity, 1 to 127.
    """

    start: float
    end: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Curve:
    """A value that changes while notes sound, as a list of steps.

    Attributes:
        times: Times in seconds, ascending.
        values: The value from each time on.
    """

    times: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Part:
    """The part of one instrument.

    Attributes:
        program: General MIDI program, 0 to 127; in a drum part the number of the drum kit.
        notes: Notes in any order.
        level: Loudness of the part in the mix in dB.
        pan: Position from -1 (left) to 1 (right).
        drums: True for a drum part.
        bend: Semitones added to the pitch.
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
        parts: Parts of the instruments.
        seconds: Length in seconds.
        tuning: Detuning of the whole piece in semitones.
    """

    parts: tuple[Part, ...]
    seconds: float
    tuning: float


def within(notes: list[Note], seconds: float) -> tuple[Note, ...]:
    """The notes that start within a piece of `seconds`, cut off at its end."""
    return tuple(
        Note(note.start, min(note.end, seconds), note.pitch, note.velocity) for note in notes if note.start < seconds
    )
