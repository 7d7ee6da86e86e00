"""Write a composed piece as a Standard MIDI File, so that any General MIDI synthesizer can play it.

Tuning, bends and swells are kept as far as MIDI goes: the tuning of the pitched parts as fine tuning (RPN 1), bends by the
pitch wheel with a range of an octave (RPN 0), swells by the expression controller. Times are rounded to half a
millisecond, and loudness to the 127 steps of a controller. The level of a part is a channel volume, so parts differ in
loudness by what the soundfont gives each instrument; the demonstration corpus measures each part and levels it.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import Any

from pipeline.corpus.composition import LEAD_LEVEL, LEVEL_SPREAD
from pipeline.corpus.score import Part, Piece

TICKS_PER_SECOND = 2_000
TICKS_PER_BEAT = 1_000  # at MIDI's default tempo of 120 beats per minute
BEND_RANGE = 12  # semitones to either side
WHEEL_STEPS = 8_192  # to either side
DRUM_CHANNEL = 9
MOST = 127  # of a controller
# Volume and expression: the gain is the square of the controller (General MIDI Level 1, and FluidSynth's default).
DB_PER_DECADE = 40.0
LOUDEST = LEAD_LEVEL + LEVEL_SPREAD  # dB, the level of a part at full volume
PAN, VOLUME, EXPRESSION, REVERB_SEND, CHORUS_SEND = 10, 7, 11, 91, 93
DATA, DATA_FINE, PARAMETER, PARAMETER_COARSE = 6, 38, 100, 101
BEND_RANGE_PARAMETER, TUNING_PARAMETER, NO_PARAMETER = 0, 1, MOST
# Order of events at the same time, as in `pipeline.corpus.synthesis`: notes end, wheels turn, notes begin.
SET_UP, END, TURN, BEGIN = 0, 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Effects:
    """How much of each part goes to the effects of the synthesizer, each 0 to 127.

    Attributes:
        reverb: share of the reverb.
        chorus: share of the chorus.
    """

    reverb: int
    chorus: int


def midi_bytes(piece: Piece, effects: Effects) -> bytes:
    """The bytes of a MIDI file of format 0, which depend only on the arguments.

    Args:
        piece: The piece; it has at most nine pitched parts and one drum part.
        effects: Sends to reverb and chorus, the same for all parts.
    """
    import mido

    events: list[tuple[int, int, int, Any]] = []
    pitched = (part for part in piece.parts if not part.drums)
    channels = {id(part): channel for channel, part in enumerate(pitched)}
    for part in piece.parts:
        channel = DRUM_CHANNEL if part.drums else channels[id(part)]
        for tick, kind, fields in _events(part, piece.tuning, effects):
            message = mido.Message(channel=channel, **fields)
            events.append((tick, kind, len(events), message))
    track = mido.MidiTrack()
    now = 0
    for tick, _, _, message in sorted(events, key=lambda event: event[:3]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, _tick(piece.seconds) - now)))
    written = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(file=written)
    return written.getvalue()


def _events(part: Part, tuning: float, effects: Effects) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Tick, kind, and fields of every message of a part."""
    for fields in _set_up(part, 0.0 if part.drums else tuning, effects):
        yield 0, SET_UP, fields
    for note in part.notes:
        yield _tick(note.start), BEGIN, {"type": "note_on", "note": note.pitch, "velocity": note.velocity}
        yield _tick(note.end), END, {"type": "note_off", "note": note.pitch, "velocity": 0}
    for time, semitones in zip(part.bend.times, part.bend.values, strict=True):
        wheel = round(semitones / BEND_RANGE * WHEEL_STEPS)
        yield _tick(time), TURN, {"type": "pitchwheel", "pitch": min(max(wheel, -WHEEL_STEPS), WHEEL_STEPS - 1)}
    for time, decibels in zip(part.swell.times, part.swell.values, strict=True):
        yield _tick(time), TURN, _control(EXPRESSION, _controller(decibels))


def _set_up(part: Part, tuning: float, effects: Effects) -> Iterator[dict[str, Any]]:
    """The messages before the first note; a registered parameter is chosen, set, and let go of, in this order."""
    yield {"type": "program_change", "program": part.program}
    fine = min(max(round(WHEEL_STEPS * (1 + tuning)), 0), 2 * WHEEL_STEPS - 1)
    for parameter, coarse, rest in (
        (BEND_RANGE_PARAMETER, BEND_RANGE, 0),
        (TUNING_PARAMETER, *divmod(fine, 128)),
    ):
        yield _control(PARAMETER_COARSE, 0)
        yield _control(PARAMETER, parameter)
        yield _control(DATA, coarse)
        yield _control(DATA_FINE, rest)
    yield _control(PARAMETER_COARSE, NO_PARAMETER)
    yield _control(PARAMETER, NO_PARAMETER)
    yield _control(VOLUME, _controller(part.level - LOUDEST))
    yield _control(PAN, round((part.pan + 1) / 2 * MOST))
    yield _control(REVERB_SEND, effects.reverb)
    yield _control(CHORUS_SEND, effects.chorus)


def _control(number: int, value: int) -> dict[str, Any]:
    return {"type": "control_change", "control": number, "value": value}


def _controller(decibels: float) -> int:
    """The value of a controller that attenuates by so many dB, 0 or less."""
    return min(max(round(MOST * 10 ** (decibels / DB_PER_DECADE)), 0), MOST)


def _tick(seconds: float) -> int:
    return round(seconds * TICKS_PER_SECOND)
