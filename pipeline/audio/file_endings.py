"""The endings by which audio files are told from other files in a folder.

A decoder looks at the bytes alone, so that a file of any ending can be decoded; the endings only say what is worth trying.
"""

from __future__ import annotations

import posixpath

# The usual names of the formats that the engines read (`ffmpeg_formats.READ` and libsndfile's), sound alone and sound with
# pictures. Left out are endings that other kinds of files have more often, such as .ts (source code) and .mat (matrices).
_SOUND = (
    *("8svx", "aa3", "aac", "ac3", "ac4", "adts", "aif", "aifc", "aiff", "amr", "ape", "au", "awb", "bwf", "caf"),
    *("dff", "dsf", "dts", "dtshd", "eac3", "ec3", "flac", "m2a", "m4a", "m4b", "m4r", "mka", "mlp", "mp2", "mp3"),
    *("mpa", "mpc", "nist", "oga", "ogg", "oma", "omg", "opus", "osq", "paf", "pvf", "qoa", "ra", "rf64", "rka"),
    *("sds", "shn", "snd", "sph", "spx", "tak", "thd", "tta", "voc", "vqf", "w64", "wav", "wave", "weba", "wma"),
    *("wv", "xwma"),
)
_WITH_PICTURES = (
    *("3g2", "3gp", "asf", "avi", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mxf", "ogv"),
    *("rm", "vob", "webm", "wmv"),
)
AUDIO_ENDINGS = frozenset(f".{ending}" for ending in (*_SOUND, *_WITH_PICTURES))


def has_audio_ending(path: str) -> bool:
    """Whether the name of a file, local or in a store, ends as that of an audio file; upper case counts too."""
    return posixpath.splitext(path)[1].lower() in AUDIO_ENDINGS
