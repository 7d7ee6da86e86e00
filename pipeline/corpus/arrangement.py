"""Decide about a track before a note is written: artist, key, tempo, instruments, and how they play.

Everything that tags name is decided here. The choices are dealt like cards: a deck that holds each choice in its share is
shuffled, dealt to consecutive tracks, and shuffled again. So every share is right in a corpus of any size, each choice is
independent of the others, and track i is the same piece however many tracks follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

from pipeline.corpus.artists import Artist
from pipeline.corpus.harmony import MAJOR_PROGRESSIONS, MINOR_PROGRESSIONS, TEMPI, Key, Tempo
from pipeline.corpus.instruments import (
    BASS_PROGRAMS,
    BENDING,
    FAMILIES,
    REGISTERS,
    SUSTAINING,
    Register,
)
from pipeline.corpus.seeding import stream

Gesture = Literal["melody", "rising", "falling", "arpeggio", "repeated", "slides", "vibrato"]
Backing = Literal["pad", "swells", "chords", "arpeggio", "repeated"]
Beat = Literal["none", "floor", "backbeat", "waltz", "roll"]

GESTURES: Final[tuple[Gesture, ...]] = (
    "melody",
    "rising",
    "falling",
    "arpeggio",
    "repeated",
    "slides",
    "vibrato",
)
BACKINGS: Final[tuple[Backing, ...]] = ("pad", "swells", "chords", "arpeggio", "repeated")
METRES: Final = (3, 4, 4)  # beats per bar
BEATS: Final[dict[int, tuple[Beat, ...]]] = {  # by beats per bar
    3: ("none",) * 3 + ("waltz",) + ("roll",) * 2,
    4: ("none",) * 5 + ("floor",) * 3 + ("backbeat",) * 3 + ("roll",),
}
ARTICULATIONS: Final = (False, True, True)  # staccato
DETACHABLE: Final = ("melody", "arpeggio")  # gestures slow enough to be played staccato

FAVOURED: Final = 0.6  # probability that a track follows its artist's preference

T = TypeVar("T")


@dataclass(frozen=True)
class Arrangement:
    """The decisions behind one track.

    Attributes:
        track: Number of the track in the corpus, from 0.
        key: Tonic and mode.
        tempo: Class of the tempo.
        bpm: Beats per minute.
        beats_per_bar: 3 or 4.
        progression: Chord roots as degrees, one per bar.
        register: Register of the lead line.
        gesture: Gesture of the lead line.
        staccato: True if lead and backing play short, detached notes.
        lead_family: Instrument family of the lead.
        lead_program: General MIDI program of the lead.
        backing: Style of the second instrument.
        backing_family: Family of the second instrument, never the lead's.
        backing_program: General MIDI program of the second instrument.
        bass_program: General MIDI program of the bass, or None without one.
        beat: Pattern of the drums.
        drum_kit: General MIDI kit number.
        tuning: Deviation from standard pitch in semitones.
    """

    track: int
    key: Key
    tempo: Tempo
    bpm: float
    beats_per_bar: int
    progression: tuple[int, ...]
    register: Register
    gesture: Gesture
    staccato: bool
    lead_family: str
    lead_program: int
    backing: Backing
    backing_family: str
    backing_program: int
    bass_program: int | None
    beat: Beat
    drum_kit: int
    tuning: float


def deal(seed: int, purpose: str, track: int, deck: Sequence[T]) -> T:
    """The card that `track` gets from a deck that is shuffled again for every len(deck) tracks.

    Args:
        seed: Seed of the corpus.
        purpose: What is decided; each purpose has its own shuffle.
        track: Number of the track.
        deck: The cards; a card that occurs twice is dealt twice as often.

    Returns:
        One of the cards. The len(deck) tracks from each multiple of len(deck) on get each card once.
    """
    round_number, position = divmod(track, len(deck))
    order = stream(seed, purpose, round_number).permutation(len(deck))
    return deck[int(order[position])]


def arrange(seed: int, track: int, artist: Artist) -> Arrangement:
    """Make the decisions about a track.

    Args:
        seed: Seed of the corpus.
        track: Number of the track, from 0.
        artist: Artist of the track.

    Returns:
        The arrangement, which depends only on the arguments.
    """
    rng = stream(seed, "arrangement", track)
    gesture = deal(seed, "gesture", track, GESTURES)
    backing = deal(seed, "backing", track, BACKINGS)
    beats_per_bar = deal(seed, "metre", track, METRES)
    beat = deal(seed, f"beat in {beats_per_bar}", track, BEATS[beats_per_bar])
    minor = deal(seed, "mode", track, (False, True))
    register = deal(seed, "register", track, REGISTERS)
    tempo = artist.tempo if rng.random() < FAVOURED else _pick(rng, tuple(TEMPI))
    lead_family = _family(rng, artist, BENDING if gesture in ("slides", "vibrato") else tuple(FAMILIES), without="")
    able = SUSTAINING if backing in ("pad", "swells") else tuple(FAMILIES)
    backing_family = _family(rng, artist, able, without=lead_family)
    return Arrangement(
        track=track,
        key=Key(int(rng.integers(12)), minor),
        tempo=tempo,
        bpm=float(rng.uniform(*TEMPI[tempo])),
        beats_per_bar=beats_per_bar,
        progression=_pick(rng, MINOR_PROGRESSIONS if minor else MAJOR_PROGRESSIONS),
        register=register,
        gesture=gesture,
        staccato=deal(seed, "articulation", track, ARTICULATIONS) and gesture in DETACHABLE,
        lead_family=lead_family,
        lead_program=_pick(rng, FAMILIES[lead_family][register]),
        backing=backing,
        backing_family=backing_family,
        backing_program=_pick(rng, FAMILIES[backing_family]["middle"]),
        bass_program=_pick(rng, BASS_PROGRAMS) if deal(seed, "bass", track, (False, True)) else None,
        beat=beat,
        drum_kit=artist.drum_kit,
        tuning=artist.tuning + float(rng.uniform(-0.1, 0.1)),
    )


def _pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of the choices, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def _family(rng: np.random.Generator, artist: Artist, possible: Sequence[str], *, without: str) -> str:
    """A possible family other than `without`, probably one that the artist prefers."""
    choices = [family for family in possible if family != without]
    preferred = [family for family in choices if family in artist.families]
    return _pick(rng, preferred if preferred and rng.random() < FAVOURED else choices)
