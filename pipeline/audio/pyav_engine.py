"""Decode what FFmpeg reads and libsndfile does not: m4a, aac, wma, ape, alac, wavpack, …, and what is broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected, decoder_words

_MICROSECONDS = 1_000_000  # FFmpeg's unit for a container's duration


class PyavSource:
    """The first audio stream of a file opened with FFmpeg's libraries; see `AudioSource`.

    A packet that the decoder refuses is passed over, as the ffmpeg program does, and marks the source as corrupt. A
    stream that changes its rate or its channels half-way is brought to the shape that it began with.

    Args:
        file: the file.

    Raises:
        TrackRejected: not a format that FFmpeg reads, or one without an audio stream.
    """

    def __init__(self, file: AudioFile) -> None:
        self._path = file.path
        self._raw = None if file.is_local else file.open()
        try:
            self._container = av.open(self._raw or file.path, mode="r", metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError) as error:
            self._close_raw()
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, _words(error, file.path)) from error
        if not self._container.streams.audio:
            self.close()
            raise TrackRejected(Cause.NO_AUDIO, "the file has no audio stream")
        self._stream = self._container.streams.audio[0]
        context = self._stream.codec_context
        self.sample_rate = int(context.sample_rate or 0)
        self.channels = int(context.channels or 0)
        self.codec = str(context.name)
        if self.sample_rate <= 0 or self.channels <= 0:
            self.close()
            raise TrackRejected(
                Cause.DECODE_ERROR, f"the audio stream names {self.channels} channels at {self.sample_rate} Hz"
            )
        self.claimed_frames = self._claimed_frames()
        self.corrupt: str | None = None

    def _claimed_frames(self) -> int | None:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return int(round(self._stream.duration * self._stream.time_base * self.sample_rate))
        if self._container.duration is not None:
            return int(round(self._container.duration * self.sample_rate / _MICROSECONDS))
        return None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # else what is said depends on the file before
        with av.logging.Capture(local=True) as logged:  # some decoders conceal what is broken, and only say so
            yield from self._blocks()
        if logged and self.corrupt is None:
            self.corrupt = decoder_words(Exception(logged[0][2]), self._path)

    def _blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        decoded_any = False
        last_error: BaseException | None = None
        shape = layout = None
        resampler: Any = None
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                last_error, self.corrupt = error, _words(error, self._path)
                continue
            for frame in frames:
                if not decoded_any:  # the decoder knows better than the header
                    self.sample_rate, self.channels = frame.sample_rate, frame.layout.nb_channels
                    layout, decoded_any = frame.layout.name, True
                found = (frame.sample_rate, frame.layout.name, frame.format.name)
                if found != shape:
                    if resampler is not None:
                        yield from _arrays(resampler.resample(None))
                    # Only the sample format changes here, unless the stream changes its shape half-way.
                    resampler = av.AudioResampler(format="fltp", layout=layout, rate=self.sample_rate)
                    shape = found
                yield from _arrays(resampler.resample(frame))
        if resampler is not None:
            yield from _arrays(resampler.resample(None))
        if not decoded_any and last_error is not None:
            raise TrackRejected(Cause.DECODE_ERROR, _words(last_error, self._path)) from last_error

    def _packets(self) -> Iterator[av.Packet]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self.corrupt = _words(error, self._path)
                return
            yield packet

    def seek_exactly(self, frame: int) -> bool:
        return False  # FFmpeg seeks to a packet, by time stamps that a container may round

    def has_unread_data(self) -> bool:
        return False  # it reads to the end whatever the header claims

    def close(self) -> None:
        self._container.close()
        self._close_raw()

    def _close_raw(self) -> None:
        if self._raw is not None:
            self._raw.close()


def _arrays(frames: list[av.AudioFrame]) -> Iterator[npt.NDArray[np.float32]]:
    for frame in frames:
        yield np.ascontiguousarray(frame.to_ndarray().T)


def _words(error: BaseException, path: str) -> str:
    return decoder_words(Exception(getattr(error, "strerror", None) or str(error)), path)
