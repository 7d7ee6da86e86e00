"""Turn decisions into notes: compose every part of a piece."""

from __future__ import annotations

from typing import Final

from pipeline.corpus.arrangement import Arrangement
from pipeline.corpus.backing import backing_line
from pipeline.corpus.harmony import Metre
from pipeline.corpus.lead import lead_line
from pipeline.corpus.rhythm import bass_line, drum_line
from pipeline.corpus.score import Part, Piece, within
from pipeline.corpus.seeding import stream

# Loudness in the mix in dB. The levels are close together, so that nothing that a tag names is buried under the rest.
LEAD_LEVEL: Final = 0.0
BACKING_LEVEL: Final = -4.0
BASS_LEVEL: Final = -5.0
DRUM_LEVEL: Final = -4.0
LEVEL_SPREAD: Final = 1.5  # largest random deviation in dB
WIDEST_PAN: Final = 0.7  # share of the way to one side; bass and drums stay in the middle


def compose(seed: int, arrangement: Arrangement, seconds: float) -> Piece:
    """Write the piece.

    Args:
        seed: Seed of the corpus.
        arrangement: Decisions about the track.
        seconds: Length of the piece in seconds.

    Returns:
        The piece, which depends only on the arguments.
    """
    rng = stream(seed, "composition", arrangement.track)
    metre = Metre(arrangement.bpm, arrangement.beats_per_bar, arrangement.progression, seconds)

    def level(decibels: float) -> float:
        return decibels + float(rng.uniform(-LEVEL_SPREAD, LEVEL_SPREAD))

    pan = float(rng.uniform(-WIDEST_PAN, WIDEST_PAN))
    notes, bend = lead_line(arrangement, metre, rng)
    lead = Part(arrangement.lead_program, within(notes, seconds), level(LEAD_LEVEL), pan, bend=bend)
    chords, swell = backing_line(arrangement, metre, rng)
    backing = Part(arrangement.backing_program, within(chords, seconds), level(BACKING_LEVEL), -pan, swell=swell)
    parts = [lead, backing]
    if arrangement.bass_program is not None:
        bass = bass_line(arrangement, metre, rng)
        parts.append(Part(arrangement.bass_program, within(bass, seconds), level(BASS_LEVEL), 0.0))
    if arrangement.beat != "none":
        drums = within(drum_line(arrangement, metre), seconds)
        parts.append(Part(arrangement.drum_kit, drums, level(DRUM_LEVEL), 0.0, drums=True))
    return Piece(tuple(parts), seconds, arrangement.tuning)
