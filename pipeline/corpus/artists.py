"""Artists: each has a handful of tracks, and preferences that make them sound alike.

The preferences are the reason for artist-disjoint splits: a model that has heard an artist knows something about the artist's
other tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.corpus.harmony import TEMPI, Tempo
from pipeline.corpus.instruments import DRUM_KITS, FAMILIES
from pipeline.corpus.seeding import stream

FEWEST_TRACKS: Final = 2
MOST_TRACKS: Final = 6  # 4 on average
FAVOURITES: Final = 3  # instrument families that an artist prefers


@dataclass(frozen=True)
class Artist:
    """An artist's preferences.

    Attributes:
        number: Number of the artist, from 0.
        families: Preferred instrument families.
        tempo: Preferred class of tempo.
        drum_kit: General MIDI kit number.
        tuning: Deviation from standard pitch in semitones.
        tilt: Brightness of the artist's productions in dB per octave.
        reverb: Room of the artist's productions, 0 (dry) to 1 (hall).
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
        """The value in the `group` column."""
        return f"artist-{self.number:04d}"


def artist(seed: int, number: int) -> Artist:
    """The preferences of an artist, which depend only on seed and number."""
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
    """The artist of each track.

    Args:
        seed: Seed of the corpus.
        tracks: Number of tracks.

    Returns:
        The artist's number for each track, ascending; about tracks / 4 artists. The first numbers do not depend on `tracks`.
    """
    numbers: list[int] = []
    number = 0
    while len(numbers) < tracks:
        size = int(stream(seed, "catalog of an artist", number).integers(FEWEST_TRACKS, MOST_TRACKS + 1))
        numbers.extend([number] * size)
        number += 1
    return numbers[:tracks]
