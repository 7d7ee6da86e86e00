"""Decode wav, flac, ogg, opus, mp3 and what else libsndfile reads."""

from __future__ import annotations

import contextlib
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
# Read of a file's end to see that it is there: libFLAC looks for the very last frames from the start of the file on.
_TAIL_FRAMES = 16_384
_SMALL_FRAMES = 4096  # read at a time where a fault is near
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
            self._file = self._open(file)
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
        self._goes_on = False  # the file, where the claimed length was reached

    def _open(self, file: AudioFile) -> soundfile.SoundFile:
        # By number, so that its place in the file is known; one that is fetched piece by piece has none.
        return soundfile.SoundFile(self._raw.fileno() if file.is_local else self._raw, closefd=False)

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        position = self._file.tell()
        try:
            for part in self._read(BLOCK_FRAMES):
                position += len(part)
                yield part
        except soundfile.LibsndfileError as error:
            found = position
            for part in self._up_to_fault(position):
                found += len(part)
                yield part
            if found == 0:
                raise TrackRejected(Cause.DECODE_ERROR, _words(error, self._source)) from error
            self.corrupt = _words(error, self._source)  # what came before is kept

    def _read(self, frames: int) -> Iterator[npt.NDArray[np.float32]]:
        block = np.empty((frames, self.channels), np.float32)
        left = (self.claimed_frames or 0) - self._file.tell()
        # Never across the claimed end: asked for more, libsndfile runs through the rest of the file for nothing.
        while len(part := self._file.read(out=block[:left] if 0 < left < frames else block)):
            left -= len(part)
            if left == 0:
                self._goes_on = self._is_far_from_end()
            yield part

    def _up_to_fault(self, position: int) -> Iterator[npt.NDArray[np.float32]]:
        """What comes between a frame and the fault after it: read again in small steps, of which the fault costs one."""
        self._file.close()
        self._raw.seek(0)
        self._file = self._open(self._source)
        begin = 0  # of the next part
        with contextlib.suppress(soundfile.LibsndfileError):
            for part in self._read(_SMALL_FRAMES):
                yield part[max(0, position - begin) :]
                begin += len(part)

    def seek_exactly(self, frame: int) -> bool:
        if not self._file.subtype.startswith(_EXACT_SEEK) or self.claimed_frames is None:
            return False
        try:
            tail = min(_TAIL_FRAMES, self.claimed_frames)
            self._file.seek(self.claimed_frames - tail)
            whole = len(self._file.read(tail + 1)) == tail and not self.has_unread_data()
            self._file.seek(frame if whole else 0)
        except soundfile.LibsndfileError:
            return False
        return whole

    def has_unread_data(self) -> bool:
        return self._goes_on or self._is_far_from_end()

    def _is_far_from_end(self) -> bool:
        return int(self._source.size - self._raw.tell()) > _READ_AHEAD_BYTES

    def close(self) -> None:
        self._file.close()
        self._raw.close()


def _words(error: BaseException, file: AudioFile) -> str:
    return decoder_words(error, file.path)
