"""Who plays: an artist has a handful of tracks, and leanings that make them sound alike.

The leanings are what artist-disjoint splits are for: a model that has heard an artist knows something about the
artist's other tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.corpus.harmony import TEMPI, Tempo
from pipeline.corpus.instruments import DRUM_KITS, FAMILIES
from pipeline.corpus.seeding import stream

FEWEST_TRACKS: Final = 2
MOST_TRACKS: Final = 6  # of an artist; 4 on average
FAVOURITES: Final = 3  # instrument families that an artist prefers


@dataclass(frozen=True)
class Artist:
    """An artist's leanings.

    Attributes:
        number: from 0.
        families: preferred instrument families.
        tempo: preferred class of tempo.
        drum_kit: General MIDI kit number.
        tuning: semitones off standard pitch.
        tilt: brightness of the artist's productions, dB per octave.
        reverb: room of the artist's productions, 0 (dry) to 1 (hall).
    """

    number: int
    families: tuple[str, ...]
    tempo: Tempo
    drum_kit: int
    tuning: float
    tilt: float
    reverb: float

    @property
    def name(self) -> str:
        """What stands in the `group` column."""
        return f"artist-{self.number:04d}"


def artist(seed: int, number: int) -> Artist:
    """The leanings of an artist, a function of seed and number alone."""
    rng = stream(seed, "artist", number)
    names = tuple(FAMILIES)
    favourites = rng.permutation(len(names))[:FAVOURITES]
    return Artist(
        number=number,
        families=tuple(names[int(index)] for index in favourites),
        tempo=tuple(TEMPI)[int(rng.integers(len(TEMPI)))],
        drum_kit=DRUM_KITS[int(rng.integers(len(DRUM_KITS)))],
        tuning=float(rng.uniform(-0.2, 0.2)),
        tilt=float(rng.uniform(-1.0, 1.0)),
        reverb=float(rng.uniform(0.0, 1.0)),
    )


def artist_numbers(seed: int, tracks: int) -> list[int]:
    """Which artist each track belongs to.

    Args:
        seed: seed of the corpus.
        tracks: how many tracks.

    Returns:
        An artist's number per track, ascending; about tracks / 4 artists. The first numbers do not depend on `tracks`.
    """
    numbers: list[int] = []
    number = 0
    while len(numbers) < tracks:
        size = int(stream(seed, "catalog of an artist", number).integers(FEWEST_TRACKS, MOST_TRACKS + 1))
        numbers.extend([number] * size)
        number += 1
    return numbers[:tracks]
