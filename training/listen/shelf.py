"""The last few songs that were heard, by number."""

from __future__ import annotations

import collections
import dataclasses

from training.listen.heard import HeardSong
from training.listen.similar_tracks import SimilarTracks

KEPT = 4  # songs; each has its upload and its waveform on the disk


@dataclasses.dataclass
class ShelvedSong:
    """A song on the shelf.

    Attributes:
        song: the song.
        similar: the tracks nearest to it, once they were searched.
    """

    song: HeardSong
    similar: SimilarTracks | None = None


class Shelf:
    """Keeps the last `KEPT` songs; an older one is gone once nothing reads it any more."""

    def __init__(self) -> None:
        self._songs: collections.OrderedDict[int, ShelvedSong] = collections.OrderedDict()
        self._next = 1

    def put(self, song: HeardSong) -> int:
        """Keep a song; returns its number."""
        number, self._next = self._next, self._next + 1
        self._songs[number] = ShelvedSong(song)
        while len(self._songs) > KEPT:
            self._songs.popitem(last=False)
        return number

    def get(self, number: int) -> ShelvedSong | None:
        """A song; None if there was none, or it is no longer kept."""
        return self._songs.get(number)
