"""Decode what FFmpeg reads and libsndfile does not: m4a, aac, wma, ape, alac, wavpack, …"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected, decoder_words

_MICROSECONDS = 1_000_000  # FFmpeg's unit for a container's duration


class PyavSource:
    """The first audio stream of a file opened with FFmpeg's libraries; see `AudioSource`.

    A packet that the decoder refuses is passed over, as the ffmpeg program does, and marks the source as damaged.

    Args:
        path: a local file.

    Raises:
        TrackRejected: not a format that FFmpeg reads, or one without an audio stream.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._container = av.open(path, mode="r", metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, _words(error, path)) from error
        if not self._container.streams.audio:
            self._container.close()
            raise TrackRejected(Cause.NO_AUDIO, "the file has no audio stream")
        self._stream = self._container.streams.audio[0]
        context = self._stream.codec_context
        self.sample_rate = int(context.sample_rate or 0)
        self.channels = int(context.channels or 0)
        self.codec = str(context.name)
        if self.sample_rate <= 0 or self.channels <= 0:
            self._container.close()
            raise TrackRejected(
                Cause.DECODE_ERROR, f"the audio stream names {self.channels} channels at {self.sample_rate} Hz"
            )
        self.claimed_frames = self._claimed_frames()
        self.damaged = False

    def _claimed_frames(self) -> int | None:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return int(round(self._stream.duration * self._stream.time_base * self.sample_rate))
        if self._container.duration is not None:
            return int(round(self._container.duration * self.sample_rate / _MICROSECONDS))
        return None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        # Only the sample format changes here; channels and rate stay the source's own.
        to_float = av.AudioResampler(format="fltp")
        decoded_any = False
        last_error: BaseException | None = None
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                last_error, self.damaged = error, True
                continue
            for frame in frames:
                if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != self.channels:
                    if decoded_any:  # a stream that changes its shape half-way: what came before is kept
                        self.damaged = True
                        return
                    self.sample_rate, self.channels = frame.sample_rate, frame.layout.nb_channels
                decoded_any = True
                for converted in to_float.resample(frame):
                    yield np.ascontiguousarray(converted.to_ndarray().T)
        if not decoded_any and last_error is not None:
            raise TrackRejected(Cause.DECODE_ERROR, _words(last_error, self._path)) from last_error

    def _packets(self) -> Iterator[av.Packet]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                self.damaged = True
                return
            yield packet

    def close(self) -> None:
        self._container.close()


def _words(error: BaseException, path: str) -> str:
    return decoder_words(Exception(getattr(error, "strerror", None) or str(error)), path)
