"""The decoder engines and the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.soundfile_engine import SoundfileSource
from pipeline.audio.sources import AudioSource

Decoder = Literal["auto", "tfio"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)

OpenSource = Callable[[AudioFile], AudioSource]


def open_libsndfile(file: AudioFile) -> AudioSource:
    """libsndfile, whatever the file's ending says; raises TrackRejected."""
    return SoundfileSource(file)


def open_ffmpeg(file: AudioFile) -> AudioSource:
    """FFmpeg's libraries, which cost 60 MB and 0.1 s to load: most collections never need them."""
    from pipeline.audio.pyav_engine import PyavSource

    return PyavSource(file)


def open_tfio(file: AudioFile) -> AudioSource:
    """tensorflow-io, which imports TensorFlow."""
    from pipeline.audio.tfio_engine import TfioSource

    source: AudioSource = TfioSource(file)
    return source
