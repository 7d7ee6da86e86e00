"""The second instrument: held, swelling, struck, broken or repeated chords."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pipeline.corpus.arrangement import Arrangement
from pipeline.corpus.harmony import Metre
from pipeline.corpus.lead import REPEATS_PER_BEAT, arpeggio, sounding
from pipeline.corpus.score import Curve, Note

CHORD_LOWEST: Final = 53  # MIDI pitch; chords lie in the octave above
ARPEGGIO_CENTRE: Final = 62  # MIDI pitch
SHORTEST_SWELL: Final = 0.9  # seconds; shorter slots are joined in pairs
SWELL_DEPTH: Final = 30.0  # dB from the start of a swell to its end
SWELL_STEP: Final = 0.01  # seconds between two steps of the volume
STRUCK_SHARE: Final = 0.8  # share of a beat during which a struck chord sounds when it is not staccato
VELOCITY: Final = 96


def backing_line(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> tuple[list[Note], Curve]:
    """Write the backing.

    Args:
        arrangement: Decisions about the track.
        metre: Tempo, bars and chords.
        rng: Source of the line's free choices.

    Returns:
        The notes, and the course of their loudness (empty unless the backing swells).
    """
    if arrangement.backing == "arpeggio":
        return arpeggio(arrangement, metre, rng, centre=ARPEGGIO_CENTRE), Curve()
    if arrangement.backing == "chords":
        return _struck(arrangement, metre), Curve()
    if arrangement.backing == "repeated":
        return _repeated(arrangement, metre), Curve()
    if arrangement.backing == "swells":
        return _swells(arrangement, metre)
    return _held(arrangement, metre), Curve()


def _held(arrangement: Arrangement, metre: Metre) -> list[Note]:
    """One chord for each whole bar."""
    return [
        Note(start, start + metre.bar, pitch, VELOCITY)
        for start, root in metre.bars()
        for pitch in arrangement.key.chord(root, CHORD_LOWEST)
    ]


def _struck(arrangement: Arrangement, metre: Metre) -> list[Note]:
    """A chord on each beat; in triple metre with a bass, on the second and third beats."""
    first = 1 if arrangement.beats_per_bar == 3 and arrangement.bass_program is not None else 0
    length = sounding(metre.beat * STRUCK_SHARE, staccato=arrangement.staccato)
    return [
        Note(start + beat * metre.beat, start + beat * metre.beat + length, pitch, VELOCITY)
        for start, root in metre.bars()
        for beat in range(first, arrangement.beats_per_bar)
        for pitch in arrangement.key.chord(root, CHORD_LOWEST)
    ]


def _repeated(arrangement: Arrangement, metre: Metre) -> list[Note]:
    """The chord struck repeatedly, many times per beat."""
    gap = metre.beat / REPEATS_PER_BEAT[arrangement.tempo]
    count = round(metre.bar / gap)
    return [
        Note(start + index * gap, start + (index + 0.6) * gap, pitch, VELOCITY)
        for start, root in metre.bars()
        for index in range(count)
        for pitch in arrangement.key.chord(root, CHORD_LOWEST)
    ]


def _swells(arrangement: Arrangement, metre: Metre) -> tuple[list[Note], Curve]:
    """Chords that grow from nearly nothing and break off, again and again."""
    slots = metre.slots()
    together = 1 if slots[0].seconds >= SHORTEST_SWELL else 2
    length = slots[0].seconds * together
    notes = []
    times: list[float] = []
    values: list[float] = []
    for slot in slots[::together]:
        for pitch in arrangement.key.chord(slot.root, CHORD_LOWEST):
            notes.append(Note(slot.start, slot.start + length, pitch, VELOCITY))
        steps = math.ceil(length / SWELL_STEP)
        times.extend(slot.start + length * step / steps for step in range(steps))
        values.extend(-SWELL_DEPTH * (1 - step / steps) for step in range(steps))
    return notes, Curve(tuple(times), tuple(values))
