"""Write the bass and drums."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipeline.corpus.arrangement import Arrangement
from pipeline.corpus.harmony import Metre
from pipeline.corpus.instruments import BASS_LOWEST, CLOSED_HAT, CRASH, KICK, OPEN_HAT, SNARE
from pipeline.corpus.score import Note

ROLL_RATE: Final = 14.0  # smallest number of strokes per second
DRUM_LENGTH: Final = 0.1  # seconds; drums ring by themselves
LOUD, MEDIUM, SOFT = 118, 96, 72  # velocities


def bass_line(arrangement: Arrangement, metre: Metre, rng: np.random.Generator) -> list[Note]:
    """Root notes: on the first beat of a bar in triple metre, on each beat or half beat in quadruple metre."""
    notes = []
    per_beat = 1 if arrangement.tempo == "fast" else 1 + int(rng.integers(2))
    for start, root in metre.bars():
        pitch = BASS_LOWEST + (arrangement.key.pitch(root) - BASS_LOWEST) % 12
        if arrangement.beats_per_bar == 3:
            notes.append(Note(start, start + metre.beat, pitch, LOUD))
            continue
        gap = metre.beat / per_beat
        for index in range(arrangement.beats_per_bar * per_beat):
            fifth = 7 if index == arrangement.beats_per_bar * per_beat - 1 else 0
            onset = start + index * gap
            notes.append(Note(onset, onset + gap * 0.85, pitch + fifth, LOUD if index == 0 else MEDIUM))
    return notes


def drum_line(arrangement: Arrangement, metre: Metre) -> list[Note]:
    """The drums throughout the whole piece; empty if the arrangement has none."""
    strokes: list[tuple[float, int, int]] = []
    for start, _ in metre.bars():
        if arrangement.beat == "floor":
            strokes.extend(_floor(arrangement, metre, start))
        elif arrangement.beat in ("backbeat", "waltz"):
            strokes.extend(_kick_and_snare(arrangement, metre, start))
        elif arrangement.beat == "roll":
            strokes.extend(_roll(metre, start))
    return [Note(time, time + DRUM_LENGTH, drum, velocity) for time, drum, velocity in strokes]


def _floor(arrangement: Arrangement, metre: Metre, start: float) -> list[tuple[float, int, int]]:
    """The kick on every beat, with an open hi-hat between beats."""
    strokes = []
    for beat in range(arrangement.beats_per_bar):
        time = start + beat * metre.beat
        strokes.append((time, KICK, LOUD))
        strokes.append((time, CLOSED_HAT, MEDIUM))
        strokes.append((time + metre.beat / 2, OPEN_HAT, LOUD))
    return strokes


def _kick_and_snare(arrangement: Arrangement, metre: Metre, start: float) -> list[tuple[float, int, int]]:
    """Over the hi-hat, kick and snare alternate in quadruple metre; a kick and two snares in triple metre."""
    strokes = []
    for beat in range(arrangement.beats_per_bar):
        time = start + beat * metre.beat
        kick = beat == 0 or (arrangement.beat == "backbeat" and beat == 2)
        strokes.append((time, KICK if kick else SNARE, LOUD))
        strokes.append((time, CLOSED_HAT, LOUD))
        strokes.append((time + metre.beat / 2, CLOSED_HAT, MEDIUM))
    return strokes


def _roll(metre: Metre, start: float) -> list[tuple[float, int, int]]:
    """The snare struck too fast to count, with a crescendo over each bar to a crash on the next."""
    per_beat = 1
    while per_beat / metre.beat < ROLL_RATE:
        per_beat += 1
    count = round(metre.bar / metre.beat) * per_beat
    strokes = [(start, KICK, LOUD), (start, CRASH, SOFT)]
    for index in range(count):
        velocity = SOFT + round((LOUD - SOFT) * index / count)
        strokes.append((start + index * metre.beat / per_beat, SNARE, velocity))
    return strokes
