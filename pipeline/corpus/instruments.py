"""The orchestra: General MIDI programs by family and register.

Program numbers count from 0. Within a register a family lists the instruments that sound natural there, so a low
woodwind is a bassoon and a high one a piccolo.
"""

from __future__ import annotations

from typing import Final, Literal

Register = Literal["low", "middle", "high"]

REGISTERS: Final[tuple[Register, ...]] = ("low", "middle", "high")

# The pitch (MIDI) around which a lead line moves.
LEAD_CENTRE: Final[dict[Register, int]] = {"low": 50, "middle": 66, "high": 82}

FAMILIES: Final[dict[str, dict[Register, tuple[int, ...]]]] = {
    # acoustic, bright
    "piano": {"low": (0, 1), "middle": (0, 1), "high": (0, 1)},
    # nylon, steel, clean electric
    "guitar": {"low": (24, 25, 27), "middle": (24, 25, 27), "high": (24, 25, 27)},
    # cello, ensembles | violin, ensembles | violin, ensembles
    "strings": {"low": (42, 48, 49), "middle": (40, 48, 49), "high": (40, 48, 49)},
    # trombone, tuba, section | trumpet, trombone, section | trumpet, section
    "brass": {"low": (57, 58, 61), "middle": (56, 57, 61), "high": (56, 61)},
    # baritone and tenor sax, bassoon | alto sax, oboe, clarinet | oboe, piccolo, flute
    "woodwind": {"low": (66, 67, 70), "middle": (65, 68, 71), "high": (68, 72, 73)},
    # drawbar, rock, church
    "organ": {"low": (16, 18, 19), "middle": (16, 18, 19), "high": (16, 18, 19)},
    # vibraphone, marimba | vibraphone, marimba, xylophone | glockenspiel, vibraphone, xylophone
    "mallets": {"low": (11, 12), "middle": (11, 12, 13), "high": (9, 11, 13)},
}

# Families that hold a note at constant loudness, as pads and swells require.
SUSTAINING: Final = ("strings", "brass", "woodwind", "organ")
# Families that can slide between notes and play vibrato.
BENDING: Final = ("guitar", "strings", "brass", "woodwind", "organ")

# Acoustic, fingered, picked, fretless, slap, two synthesizers.
BASS_PROGRAMS: Final = (32, 33, 34, 35, 36, 38, 39)
BASS_LOWEST: Final = 31  # MIDI pitch

# Standard, room, power, electronic, TR-808, jazz.
DRUM_KITS: Final = (0, 8, 16, 24, 25, 32)

# General MIDI drum numbers.
KICK: Final = 36
SNARE: Final = 38
CLOSED_HAT: Final = 42
OPEN_HAT: Final = 46
CRASH: Final = 49
