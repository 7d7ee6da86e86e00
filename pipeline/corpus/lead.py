"""The lead line: one gesture throughout the whole piece, so that any three seconds show it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from pipeline.corpus.arrangement import Arrangement
from pipeline.corpus.harmony import Metre, Slot, Tempo
from pipeline.corpus.instruments import LEAD_CENTRE
from pipeline.corpus.score import Curve, Note

ARPEGGIO_NOTES_PER_BEAT: Final[dict[Tempo, int]] = {
    "slow": 4,
    "medium": 4,
    "fast": 3,
}  # 4 to 9 notes a second
ACCENTED: Final = 4  # one accent in this many notes of a run
SCALE_RATE: Final = 12.0  # approximate notes per second, in any tempo
SCALE_NOTES: Final = 11  # approximate notes per run
REPEATS_PER_BEAT: Final[dict[Tempo, int]] = {"slow": 9, "medium": 6, "fast": 4}  # 9 to 12 notes a second
STACCATO_SHARE: Final = 0.3  # share of the time until the next note during which a staccato note sounds
SHORTEST_NOTE: Final = 0.04  # seconds
SLIDE_NOTE: Final = 0.7  # approximate length in seconds of a note with a slide
SLIDE_SHARE: Final = 0.7  # share of the note during which its pitch moves
SLIDE_DEPTHS: Final = (-9.0, -7.0, 7.0, 9.0)  # semitones from which a slide starts
VIBRATO_NOTE: Final = 1.2  # approximate length in seconds of a note with vibrato
VIBRATO_DEPTH: Final = 0.8  # semitones to either side
VIBRATO_RATES: Final = (5.0, 6.5)  # Hz
BEND_STEP: Final = 0.012  # seconds between two steps of the pitch wheel
ACCENT, PLAIN = 112, 96  # velocities

# Rhythms of the melody in sixteenths of the slot's length; each fills the slot.
MELODY_RHYTHMS: Final = ((4, 4, 4, 4), (4, 2, 2, 8), (6, 2, 4, 4), (2, 2, 4, 8), (8, 4, 2, 2), (4, 8, 4))
MELODY_STEPS: Final = (-3, -2, -1, -1, 1, 1, 2, 3)  # scale degrees from note to note
MELODY_RANGE: Final = 7  # degrees to either side of the centre


def lead_line(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> tuple[list[Note], Curve]:
    """Write the lead line.

    Args:
        arrangement: Decisions about the track.
        metre: Tempo, bars and chords.
        rng: Source of the line's free choices.

    Returns:
        The notes, and the bends of their pitch (empty unless the gesture is slides or vibrato).
    """
    if arrangement.gesture == "slides":
        return _slides(arrangement, metre, rng)
    if arrangement.gesture == "vibrato":
        return _vibrato(arrangement, metre, rng)
    write: dict[str, Callable[[], list[Note]]] = {
        "melody": lambda: _melody(arrangement, metre, rng),
        "rising": lambda: _scales(arrangement, metre, rng, direction=1),
        "falling": lambda: _scales(arrangement, metre, rng, direction=-1),
        "arpeggio": lambda: arpeggio(arrangement, metre, rng, centre=LEAD_CENTRE[arrangement.register]),
        "repeated": lambda: _repeated(arrangement, metre, rng),
    }
    return write[arrangement.gesture](), Curve()


def sounding(gap: float, *, staccato: bool) -> float:
    """Duration of a note in seconds if the next one comes after `gap` seconds."""
    return max(SHORTEST_NOTE, gap * STACCATO_SHARE) if staccato else gap


def arpeggio(arrangement: Arrangement, metre: Metre, rng: np.random.Generator, *, centre: int) -> list[Note]:
    """The notes of the chord one after the other, up and down again in leaps, around the pitch `centre`."""
    shapes = ((0, 2, 4, 7, 9, 7, 4, 2), (0, 4, 2, 4, 7, 4, 9, 4), (7, 4, 0, 4, 9, 4, 2, 4))
    shape = shapes[int(rng.integers(len(shapes)))]
    notes = []
    for slot in metre.slots():
        bottom = _root_near(arrangement, slot, centre - 7)
        count = round(slot.beats * ARPEGGIO_NOTES_PER_BEAT[arrangement.tempo])
        for index in range(count):
            degree = bottom + shape[index % len(shape)]
            notes.append(_run_note(arrangement, slot, index, count, arrangement.key.pitch(degree)))
    return notes


def _scales(arrangement: Arrangement, metre: Metre, rng: np.random.Generator, *, direction: int) -> list[Note]:
    """Quick runs along the scale, always in the same direction: repeatedly up, or repeatedly down."""
    notes = []
    centre = arrangement.key.degree_near(LEAD_CENTRE[arrangement.register])
    for slot in metre.slots():
        runs = max(1, round(slot.seconds * SCALE_RATE / SCALE_NOTES))
        count = max(2, round(slot.seconds * SCALE_RATE / runs))
        for run in range(runs):
            first = centre - direction * (count // 2) + int(rng.integers(-1, 2))
            for index in range(count):
                pitch = arrangement.key.pitch(first + index * direction)
                notes.append(_run_note(arrangement, slot, run * count + index, runs * count, pitch))
    return notes


def _run_note(arrangement: Arrangement, slot: Slot, index: int, count: int, pitch: int) -> Note:
    """Note number `index` of `count` equally long notes in a slot."""
    gap = slot.seconds / count
    start = slot.start + index * gap
    velocity = ACCENT if index % ACCENTED == 0 else PLAIN
    return Note(start, start + sounding(gap, staccato=arrangement.staccato), pitch, velocity)


def _melody(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> list[Note]:
    """A tune in steps and small leaps, back to the chord at the start of each slot."""
    key, centre = arrangement.key, LEAD_CENTRE[arrangement.register]
    middle = key.degree_near(centre)
    degree = middle
    notes = []
    for slot in metre.slots():
        start = slot.start
        for index, sixteenths in enumerate(MELODY_RHYTHMS[int(rng.integers(len(MELODY_RHYTHMS)))]):
            degree += MELODY_STEPS[int(rng.integers(len(MELODY_STEPS)))]
            degree = min(max(degree, middle - MELODY_RANGE), middle + MELODY_RANGE)
            if index == 0:
                degree = key.chord_degree_near(slot.root, key.pitch(degree))
            gap = slot.seconds * sixteenths / 16
            velocity = ACCENT if index == 0 else PLAIN
            notes.append(Note(start, start + sounding(gap, staccato=arrangement.staccato), key.pitch(degree), velocity))
            start += gap
    return notes


def _repeated(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> list[Note]:
    """One pitch struck repeatedly, with a new pitch in each slot."""
    notes = []
    for slot, pitch in zip(metre.slots(), _chord_tones(arrangement, metre, rng), strict=True):
        count = round(slot.beats * REPEATS_PER_BEAT[arrangement.tempo])
        gap = slot.seconds / count
        for index in range(count):
            start = slot.start + index * gap
            notes.append(Note(start, start + gap * 0.6, pitch, ACCENT))
    return notes


def _slides(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> tuple[list[Note], Curve]:
    """Notes that start with a slide from far above or below."""
    notes = _long_notes(arrangement, metre, rng, SLIDE_NOTE)
    times: list[float] = []
    values: list[float] = []
    for note in notes:
        depth = SLIDE_DEPTHS[int(rng.integers(len(SLIDE_DEPTHS)))]
        moving = (note.end - note.start) * SLIDE_SHARE
        steps = math.ceil(moving / BEND_STEP)
        times.extend(note.start + moving * step / steps for step in range(steps + 1))
        values.extend(depth * (1 - step / steps) for step in range(steps + 1))
    return notes, Curve(tuple(times), tuple(values))


def _vibrato(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> tuple[list[Note], Curve]:
    """Long notes whose pitch swings to either side."""
    notes = _long_notes(arrangement, metre, rng, VIBRATO_NOTE)
    rate = float(rng.uniform(*VIBRATO_RATES))
    steps = math.ceil(metre.seconds / BEND_STEP)
    times = tuple(step * BEND_STEP for step in range(steps))
    return notes, Curve(times, tuple(VIBRATO_DEPTH * math.sin(2 * math.pi * rate * time) for time in times))


def _long_notes(arrangement: Arrangement, metre: Metre, rng: np.random.Generator, about: float) -> list[Note]:
    """Legato notes of about `about` seconds, as many as fit evenly into each slot."""
    notes = []
    for slot, pitch in zip(metre.slots(), _chord_tones(arrangement, metre, rng), strict=True):
        count = max(1, round(slot.seconds / about))
        gap = slot.seconds / count
        for index in range(count):
            start = slot.start + index * gap
            step = 0 if index == 0 else int(rng.integers(-2, 3))
            degree = arrangement.key.degree_near(pitch) + step
            notes.append(Note(start, start + gap, arrangement.key.pitch(degree), ACCENT))
    return notes


def _chord_tones(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> list[int]:
    """A pitch of the chord for each slot, near the lead's centre."""
    centre = LEAD_CENTRE[arrangement.register]
    key = arrangement.key
    return [key.pitch(key.chord_degree_near(slot.root, centre + float(rng.uniform(-5, 5)))) for slot in metre.slots()]


def _root_near(arrangement: Arrangement, slot: Slot, pitch: int) -> int:
    """The degree of the chord's root, in the octave where it lies nearest to `pitch`."""
    return arrangement.key.degree_near(
        min(
            (arrangement.key.pitch(slot.root + 7 * octave) for octave in range(11)),
            key=lambda candidate: (abs(candidate - pitch), candidate),
        )
    )
