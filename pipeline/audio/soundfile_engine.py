"""Decode wav, flac, ogg, opus, mp3 and the other formats of libsndfile."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.audio_file import PartReader
from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.flac_frames import goes_on_behind
from pipeline.audio.joined_files import is_chained
from pipeline.audio.mpeg_audio import holds_audio
from pipeline.audio.recognition import Recognized
from pipeline.audio.sources import BLOCK_FRAMES, MOST_CHANNELS

_UNKNOWN_LENGTH = 1 << 62  # libsndfile reports nearly 2**63 for a stream without an end
# Encodings in which a sample's position can be computed; in mp3, ogg and opus a sample depends on those decoded before it.
_EXACT_SEEK = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
# Frames read at a file's end to check that it is there: libFLAC seeks the very last frames from the start of the file.
_TAIL_FRAMES = 16_384


class SoundfileSource:
    """An audio file opened with libsndfile; see `AudioSource`.

    Args:
        found: The file.

    Raises:
        TrackRejected: libsndfile cannot read it, or it has too many channels.
    """

    claimed_seconds: float | None = None  # libsndfile reduces every claim to what the file holds
    choice: str | None = None

    def __init__(self, found: Recognized) -> None:
        self._found = found
        self._raw = found.file.open(None if found.tells_length else _LengthUntold)
        try:
            self._file = _Streamed(self._raw, closefd=False)
        except soundfile.LibsndfileError as error:
            self._raw.close()
            words = f"Error opening the file: {error.error_string}"  # its full text would name our reader
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, words) from error
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.codec = f"{self._file.format}/{self._file.subtype}".lower()
        is_known = found.tells_length and 0 < self._file.frames < _UNKNOWN_LENGTH
        self.length = int(self._file.frames) if is_known else None
        self.corrupt: str | None = None
        self._begin = self._decoded = 0  # frames at which `blocks` begins, and which it has reached
        if self.channels > MOST_CHANNELS:
            self.close()
            raise TrackRejected(
                Cause.TOO_MANY_CHANNELS, f"expected at most {MOST_CHANNELS} channels, received {self.channels}"
            )

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        self._decoded = self._begin
        try:
            for part in self._read():
                self._decoded += len(part)
                yield part
        except soundfile.LibsndfileError as error:
            for part in self._up_to_fault(self._decoded):
                self._decoded += len(part)
                yield part
            if self._decoded == 0:
                raise TrackRejected(Cause.DECODE_ERROR, self._words(error)) from error
            self.corrupt = self._words(error)  # the samples before the fault are kept

    def _read(self) -> Iterator[npt.NDArray[np.float32]]:
        block = np.empty((BLOCK_FRAMES, self.channels), np.float32)
        left = (self.length or 0) - self._begin
        # Never read across the end: libsndfile would scan the rest of the file for nothing.
        while len(part := self._file.read(out=block[:left] if 0 < left < len(block) else block)):
            left -= len(part)
            yield part
            if left == 0:
                return

    def _up_to_fault(self, position: int) -> Iterator[npt.NDArray[np.float32]]:
        """The samples from `position` up to the fault.

        A read that meets a fault discards what it decoded before it. So the file is read again, from that frame on one
        frame at a time; then the samples that are kept do not depend on where a block began.
        """
        self._file.close()
        self._raw.seek(0)
        self._file = _Streamed(self._raw, closefd=False)
        with contextlib.suppress(soundfile.LibsndfileError):
            left = position
            while left > 0:
                left -= len(self._file.read(min(left, BLOCK_FRAMES), dtype="float32", always_2d=True))
            block = np.empty((BLOCK_FRAMES, self.channels), np.float32)
            count = 0
            try:
                while count < len(block) and len(self._file.read(out=block[count : count + 1])):
                    count += 1
            finally:
                if count:
                    yield block[:count]

    def seek_exactly(self, frame: int) -> bool:
        if not self._file.subtype.startswith(_EXACT_SEEK) or self.length is None:
            return False
        try:
            tail = min(_TAIL_FRAMES, self.length)
            self._file.seek(self.length - tail)
            whole = len(self._file.read(tail + 1)) == tail
            self._decoded = self.length
            whole = whole and not self.has_unread_data()
            self._begin = frame if whole else 0
            self._file.seek(self._begin)
        except soundfile.LibsndfileError:
            return False
        return whole

    def has_unread_data(self) -> bool:
        found = self._found
        place = self._raw.tell()
        try:
            if found.kind == "mpeg":
                return place < found.file.size and holds_audio(self._raw, place)
            if found.kind == "ogg":
                return is_chained(self._raw)
            if found.kind == "flac":
                return goes_on_behind(self._raw, found.file.size, place, self._decoded)
            return False
        finally:
            self._raw.seek(place)

    def close(self) -> None:
        self._file.close()
        self._raw.close()

    def _words(self, error: BaseException) -> str:
        return decoder_words(error, self._found.file.path)


class _Streamed(soundfile.SoundFile):
    """A file that is read sequentially.

    After every read of a seekable file soundfile seeks to its current position. In mp3 that empties the bit reservoir, from
    which the next frames take some of their bits, so they come out wrong or not at all. `seek` still works.
    """

    def seekable(self) -> bool:
        return False


class _LengthUntold(PartReader):
    """An MPEG file that pretends to be far longer than it is.

    Without a header that gives the number of frames, libsndfile guesses it from the size of the first one, and never decodes
    past its guess. Given a far longer file, it decodes to the real end.
    """

    _LONGER = 1 << 30  # 1 GiB, 7 hours at 320 kbit/s; the guess depends on the first frame's bit rate
    _ID3V1_BYTES = 128  # libmpg123 reads this much after the end

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return super().seek(self.size + self._LONGER + offset)
        return super().seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        if self._position >= self.size + self._LONGER - self._ID3V1_BYTES:
            view = memoryview(buffer).cast("B")
            view[:] = bytes(len(view))
            self._position += len(view)
            return len(view)
        return super().readinto(buffer)
