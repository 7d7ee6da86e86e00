"""Decode with FFmpeg what libsndfile cannot read: m4a, aac, wma, ape, alac, wavpack, …, and broken files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from pipeline.audio.audio_file import PartReader
from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.ffmpeg_formats import CLAIMS_OF_ONE_STREAM, CLAIMS_OF_STREAMS, READ
from pipeline.audio.recognition import Recognized
from pipeline.audio.sources import MOST_CHANNELS

_MICROSECONDS = 1_000_000  # FFmpeg's unit for a container's duration
# Formats are listed by name, so that none is opened that reads other files or listens to a network. No protocol is allowed,
# since the only file to read is already open.
_OPTIONS = {"format_whitelist": ",".join(READ), "protocol_whitelist": "none"}


class PyavSource:
    """The audio stream of a file opened with FFmpeg's libraries; see `AudioSource`.

    Of several decodable streams the default one is taken, or else the first. A packet that the decoder refuses is skipped,
    as in the ffmpeg program, and marks the source as corrupt. A stream that changes its rate or channels half-way is
    converted to those with which it began.

    Args:
        found: The file.

    Raises:
        TrackRejected: FFmpeg cannot read the format, finds no audio stream that it can decode, or finds too many channels.
    """

    length: int | None = None  # FFmpeg decodes to the end of the file, whatever a header claims

    def __init__(self, found: Recognized) -> None:
        self._path = found.file.path
        self._raw = found.file.open(_NamedReader)
        try:
            self._container = av.open(self._raw, mode="r", metadata_errors="ignore", options=_OPTIONS)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._raw.close()
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, _words(error, self._path)) from error
        try:
            self._stream, self.choice = _chosen(self._container)
            context = self._stream.codec_context
            if context.name == "flac":  # drop frames with a wrong checksum, which may be loud noise
                context.options = {"err_detect": "crccheck+explode"}
            self.sample_rate = int(context.sample_rate or 0)
            self.channels = int(context.channels or 0)
            self.codec = str(context.name)
            if self.sample_rate <= 0 or self.channels <= 0:
                raise TrackRejected(
                    Cause.DECODE_ERROR, f"the audio stream names {self.channels} channels at {self.sample_rate} Hz"
                )
            if self.channels > MOST_CHANNELS:
                raise TrackRejected(
                    Cause.TOO_MANY_CHANNELS, f"expected at most {MOST_CHANNELS} channels, received {self.channels}"
                )
        except TrackRejected:
            self.close()
            raise
        self.claimed_seconds = _claimed_seconds(self._container, self._stream)
        self.corrupt: str | None = None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # otherwise messages depend on the previous file
        with av.logging.Capture(local=True) as logged:  # some decoders conceal damage and only log it
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
                    layout, decoded_any = frame.layout, True
                found = (frame.sample_rate, frame.layout.name, frame.format.name)
                if found != shape:
                    if resampler is not None:
                        yield from self._arrays(resampler.resample(None))
                    # Only the sample format changes here, unless the stream changes its shape half-way. The format is
                    # packed, because PyAV crashes on planes of eight channels and more.
                    resampler = av.AudioResampler(format="flt", layout=layout, rate=self.sample_rate)
                    shape = found
                yield from self._arrays(resampler.resample(frame))
        if resampler is not None:
            yield from self._arrays(resampler.resample(None))
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

    def _arrays(self, frames: list[av.AudioFrame]) -> Iterator[npt.NDArray[np.float32]]:
        for frame in frames:
            yield frame.to_ndarray().reshape(-1, self.channels)

    def seek_exactly(self, frame: int) -> bool:
        return False  # FFmpeg seeks to a packet by time stamps, which a container may round

    def has_unread_data(self) -> bool:
        return False  # it reads to the end, whatever the header claims

    def close(self) -> None:
        self._container.close()
        self._raw.close()


class _NamedReader(PartReader):
    """A file with its name, by whose extension FFmpeg recognizes a format that the file's start does not reveal."""

    @property
    def name(self) -> str:
        return self.path


def _chosen(container: Any) -> tuple[Any, str | None]:
    """The audio stream to decode, and which of several it is; raises TrackRejected if there is none."""
    streams = list(container.streams.audio)
    if not streams:
        raise TrackRejected(Cause.NO_AUDIO, "the file has no audio stream")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise TrackRejected(Cause.UNSUPPORTED_FORMAT, "FFmpeg has no decoder for the file's audio stream")
    default = [stream for stream in decodable if av.stream.Disposition.default in stream.disposition]
    stream = (default or decodable)[0]
    if len(streams) == 1:
        return stream, None
    why = "the default one" if default else "the first that can be decoded"
    return stream, f"audio stream {1 + streams.index(stream)} of {len(streams)} was decoded, {why}"


def _claimed_seconds(container: Any, stream: Any) -> float | None:
    """Length that the header claims for this stream: neither FFmpeg's guess from a bit rate nor the length of a video."""
    name = container.format.name
    if name in CLAIMS_OF_STREAMS and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if name in CLAIMS_OF_ONE_STREAM and len(container.streams) == 1 and container.duration is not None:
        late = float((stream.start_time or 0) * (stream.time_base or 0))
        return float(container.duration / _MICROSECONDS) - max(late, 0.0)
    return None


def _words(error: BaseException, path: str) -> str:
    return decoder_words(Exception(getattr(error, "strerror", None) or str(error)), path)
