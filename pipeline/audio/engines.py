"""The decoder engines and the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from pipeline.audio.causes import TrackRejected
from pipeline.audio.recognition import Recognized
from pipeline.audio.soundfile_engine import SoundfileSource
from pipeline.audio.sources import AudioSource

Decoder = Literal["auto", "tfio"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)

OpenSource = Callable[[Recognized], AudioSource]


def open_libsndfile(found: Recognized) -> AudioSource:
    """Open a file with libsndfile, whatever its extension; raises TrackRejected."""
    return SoundfileSource(found)


def open_ffmpeg(found: Recognized) -> AudioSource:
    """Open a file with FFmpeg's libraries, which cost 60 MB and 0.1 s to load and which most collections never need."""
    from pipeline.audio.pyav_engine import PyavSource

    return PyavSource(found)


def open_joined(found: Recognized) -> AudioSource:
    """Open a file that consists of several files, each of which is decoded separately."""
    from pipeline.audio.joined_source import JoinedSource

    return JoinedSource(found, open_either)


def open_either(found: Recognized) -> AudioSource:
    """Open a file with libsndfile, or with FFmpeg if libsndfile cannot read it."""
    if found.doubt is None:
        try:
            return open_libsndfile(found)
        except TrackRejected:
            pass
    return open_ffmpeg(found)


def open_tfio(found: Recognized) -> AudioSource:
    """Open a file with tensorflow-io, which imports TensorFlow."""
    from pipeline.audio.tfio_engine import TfioSource

    source: AudioSource = TfioSource(found.file)
    return source
