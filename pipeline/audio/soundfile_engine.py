"""Decode wav, flac, ogg, opus, mp3 and what else libsndfile reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.sources import BLOCK_FRAMES

_UNKNOWN_LENGTH = 1 << 62  # libsndfile's answer for a stream without an end is near 2**63
# Encodings whose samples are found by counting; in mp3, ogg and opus a sample depends on what was decoded before it.
_EXACT_SEEK = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_READ_AHEAD_BYTES = 32 << 10  # decoders read so far past what they decoded, and small tags follow the audio (32 KiB)


class SoundfileSource:
    """An audio file opened with libsndfile; see `AudioSource`.

    Args:
        file: the file.

    Raises:
        TrackRejected: libsndfile does not read it.
    """

    def __init__(self, file: AudioFile) -> None:
        self._raw = file.open()
        try:
            # By number, so that its place in the file is known; one that is fetched piece by piece has none.
            self._file = soundfile.SoundFile(self._raw.fileno() if file.is_local else self._raw, closefd=False)
        except soundfile.LibsndfileError as error:
            self._raw.close()
            # Not its whole text, which names the descriptor's number.
            words = f"Error opening the file: {error.error_string}"
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, words) from error
        self._source = file
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.codec = f"{self._file.format}/{self._file.subtype}".lower()
        self.claimed_frames = self._file.frames if 0 < self._file.frames < _UNKNOWN_LENGTH else None
        self.corrupt: str | None = None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        block = np.empty((BLOCK_FRAMES, self.channels), np.float32)
        decoded_any = False
        while True:
            try:
                part = self._file.read(out=block)
            except soundfile.LibsndfileError as error:
                if not decoded_any:
                    raise TrackRejected(Cause.DECODE_ERROR, _words(error, self._source)) from error
                self.corrupt = _words(error, self._source)  # what came before is kept
                return
            if len(part) == 0:
                return
            decoded_any = True
            yield part

    def seek_exactly(self, frame: int) -> bool:
        if not self._file.subtype.startswith(_EXACT_SEEK) or self.claimed_frames is None:
            return False
        try:
            self._file.seek(self.claimed_frames - 1)
            whole = len(self._file.read(2)) == 1 and not self.has_unread_data()
            self._file.seek(frame if whole else 0)
        except soundfile.LibsndfileError:
            return False
        return whole

    def has_unread_data(self) -> bool:
        return int(self._source.size - self._raw.tell()) > _READ_AHEAD_BYTES

    def close(self) -> None:
        self._file.close()
        self._raw.close()


def _words(error: BaseException, file: AudioFile) -> str:
    return decoder_words(error, file.path)
