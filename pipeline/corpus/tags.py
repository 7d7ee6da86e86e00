"""The tags of a track, which name what is played and how.

Half of them name instruments, register and similar properties, which the spectrum of a single moment reveals. The other half
describes how the sound changes over time, which an average over time does not show. Each tag is audible throughout the track.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.corpus.arrangement import Arrangement
from pipeline.corpus.instruments import FAMILIES

# Tags in the order of the columns of a report, each with the condition that defines it.
PLAYING: Final[dict[str, Callable[[Arrangement], bool]]] = {
    "bass": lambda played: played.bass_program is not None,
    "drums": lambda played: played.beat != "none",
    "slow": lambda played: played.tempo == "slow",
    "fast": lambda played: played.tempo == "fast",
    "low melody": lambda played: played.register == "low",
    "high melody": lambda played: played.register == "high",
    "minor": lambda played: played.key.minor,
    "waltz": lambda played: played.beats_per_bar == 3,
    "staccato": lambda played: played.staccato,
    "rising scales": lambda played: played.gesture == "rising",
    "falling scales": lambda played: played.gesture == "falling",
    "arpeggio": lambda played: "arpeggio" in (played.gesture, played.backing),
    "repeated notes": lambda played: "repeated" in (played.gesture, played.backing),
    "slides": lambda played: played.gesture == "slides",
    "vibrato": lambda played: played.gesture == "vibrato",
    "swells": lambda played: played.backing == "swells",
    "four on the floor": lambda played: played.beat == "floor",
    "backbeat": lambda played: played.beat == "backbeat",
    "drum roll": lambda played: played.beat == "roll",
}

TAGS: Final = (*FAMILIES, *PLAYING)


def tags_of(arrangement: Arrangement) -> tuple[str, ...]:
    """The tags of a track, in the order of `TAGS`; never empty, for every track has a lead instrument."""
    families = (arrangement.lead_family, arrangement.backing_family)
    return tuple(tag for tag in TAGS if (tag in families if tag in FAMILIES else PLAYING[tag](arrangement)))
