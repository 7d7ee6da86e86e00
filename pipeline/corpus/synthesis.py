"""Turn notes into sound with tinysoundfont and a General MIDI soundfont of sampled instruments.

Both come from the Python package index: the soundfont (TimGM6mb) is in the package pretty_midi, whose code is not used;
tinysoundfont is a compiled synthesizer without dependencies that matter here.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from types import ModuleType
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.corpus.score import Part
from schemas.console.errors import UserError
from schemas.console.interpreter import missing_words

SOUNDFONT: Final = "TimGM6mb.sf2"

VOICES: Final = 96  # simultaneous voices; a part needs far fewer, so none is cut off
BEND_RANGE: Final = 12.0  # range of the pitch wheel to either side in semitones
WHEEL_CENTRE, WHEEL_MOST = 8192, 16383
# Controllers. The synthesizer's gain is the cube of the expression, hence 60 dB per decade.
PAN, EXPRESSION = 10, 11
EXPRESSION_DB_PER_DECADE: Final = 60.0
CONTROLLER_MOST: Final = 127
DRUM_CHANNEL: Final = 9
# Order of events at the same time: notes end, wheels turn, notes begin.
END, TURN, BEGIN = 0, 1, 2


@functools.cache
def soundfont() -> bytes:
    """The soundfont file's bytes, read once per process.

    Raises:
        UserError: the package that contains it is not installed.
    """
    package = importlib.util.find_spec("pretty_midi")  # located but not imported, since only the file in it is needed
    if package is None or package.origin is None:
        raise UserError(missing_words("pretty_midi"))
    path = os.path.join(os.path.dirname(package.origin), SOUNDFONT)
    with open(path, "rb") as file:
        return file.read()


def synthesizer() -> ModuleType:
    """The module tinysoundfont.

    Raises:
        UserError: it is not installed.
    """
    try:
        import tinysoundfont
    except ImportError as error:
        raise UserError(missing_words("tinysoundfont")) from error
    module: ModuleType = tinysoundfont
    return module


def play(part: Part, seconds: float, tuning: float, sample_rate: int) -> npt.NDArray[np.float32]:
    """Play one part on a new synthesizer, so that no other part or track affects it.

    Args:
        part: The notes and how to play them.
        seconds: Length of the piece in seconds.
        tuning: Deviation from standard pitch in semitones.
        sample_rate: Sample rate in Hz.

    Returns:
        np.ndarray [shape=(samples, 2), float32]: left and right, at the instrument's natural loudness.

    Raises:
        UserError: the synthesizer or its soundfont is not installed.
    """
    synth = synthesizer().Synth(samplerate=sample_rate)
    bank = synth.sfload(soundfont(), max_voices=VOICES)
    channel = DRUM_CHANNEL if part.drums else 0
    synth.program_select(channel, bank, 0, part.program, part.drums)
    synth.control_change(channel, PAN, round((part.pan + 1) / 2 * CONTROLLER_MOST))
    synth.pitchbend_range(channel, BEND_RANGE)
    if not part.drums:
        synth.set_tuning(channel, tuning)

    sound = np.zeros((round(seconds * sample_rate), 2), np.float32)
    done = 0
    for sample, kind, number, value in _events(part, sample_rate):
        if sample > done:
            until = min(sample, len(sound))
            synth.generate_simple(until - done, sound[done:until].data.cast("B"))
            done = until
        if done >= len(sound):
            break
        if kind == END:
            synth.noteoff(channel, number)
        elif kind == BEGIN:
            synth.noteon(channel, number, value)
        elif number == EXPRESSION:
            synth.control_change(channel, EXPRESSION, value)
        else:
            synth.pitchbend(channel, value)
    if done < len(sound):
        synth.generate_simple(len(sound) - done, sound[done:].data.cast("B"))
    return sound


def _events(part: Part, sample_rate: int) -> list[tuple[int, int, int, int]]:
    """All events of a part in order, as (sample, END | TURN | BEGIN, pitch or controller, value)."""
    events = []
    for note in part.notes:
        events.append((round(note.start * sample_rate), BEGIN, note.pitch, note.velocity))
        events.append((round(note.end * sample_rate), END, note.pitch, 0))
    for time, semitones in zip(part.bend.times, part.bend.values, strict=True):
        wheel = round(WHEEL_CENTRE + semitones / BEND_RANGE * WHEEL_CENTRE)
        events.append((round(time * sample_rate), TURN, -1, min(max(wheel, 0), WHEEL_MOST)))
    for time, decibels in zip(part.swell.times, part.swell.values, strict=True):
        value = round(CONTROLLER_MOST * 10 ** (decibels / EXPRESSION_DB_PER_DECADE))
        events.append((round(time * sample_rate), TURN, EXPRESSION, value))
    return sorted(events)
