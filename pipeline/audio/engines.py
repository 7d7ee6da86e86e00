"""Choose the decoder engine for a file."""

from __future__ import annotations

from typing import Literal, get_args

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.soundfile_engine import SoundfileSource
from pipeline.audio.sources import AudioSource

Decoder = Literal["auto", "tfio"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)


def open_source(path: str, decoder: Decoder) -> AudioSource:
    """Open an audio file.

    Args:
        path: a local file.
        decoder: `auto` asks libsndfile first, whatever the file's ending says, and FFmpeg where libsndfile does not
            read the format; `tfio` asks tensorflow-io alone.

    Raises:
        TrackRejected: no engine reads it; the message is the last engine's.
    """
    if decoder == "tfio":
        from pipeline.audio.tfio_engine import TfioSource  # imports TensorFlow, so only where it is asked for

        by_tensorflow: AudioSource = TfioSource(path)
        return by_tensorflow
    try:
        return SoundfileSource(path)
    except TrackRejected as by_soundfile:
        # FFmpeg's libraries cost 60 MB and 0.1 s to load: most collections never need them.
        from pipeline.audio.pyav_engine import PyavSource

        try:
            return PyavSource(path)
        except TrackRejected as by_ffmpeg:
            if by_ffmpeg.cause is not Cause.UNSUPPORTED_FORMAT:
                raise
            raise TrackRejected(
                by_ffmpeg.cause, f"libsndfile: {by_soundfile.message}; FFmpeg: {by_ffmpeg.message}"
            ) from by_ffmpeg
