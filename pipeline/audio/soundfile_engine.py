"""Decode wav, flac, ogg, opus, mp3 and what else libsndfile reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.sources import BLOCK_FRAMES

_UNKNOWN_LENGTH = 1 << 62  # libsndfile's answer for a stream without an end is near 2**63


class SoundfileSource:
    """An audio file opened with libsndfile; see `AudioSource`.

    Args:
        path: a local file.

    Raises:
        TrackRejected: libsndfile does not read it.
    """

    def __init__(self, path: str) -> None:
        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, decoder_words(error, path)) from error
        self._path = path
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.codec = f"{self._file.format}/{self._file.subtype}".lower()
        self.claimed_frames = self._file.frames if 0 < self._file.frames < _UNKNOWN_LENGTH else None
        self.damaged = False

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        block = np.empty((BLOCK_FRAMES, self.channels), np.float32)
        decoded_any = False
        while True:
            try:
                part = self._file.read(out=block)
            except soundfile.LibsndfileError as error:
                if not decoded_any:
                    raise TrackRejected(Cause.DECODE_ERROR, decoder_words(error, self._path)) from error
                self.damaged = True  # what came before is kept
                return
            if len(part) == 0:
                return
            decoded_any = True
            yield part

    def close(self) -> None:
        self._file.close()
