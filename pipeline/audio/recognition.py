"""Recognize a file before any decoder sees it: which part of it is audio, and what length its header claims."""

from __future__ import annotations

import dataclasses
from typing import BinaryIO, Literal

import pipeline.audio.mpeg_audio as mpeg_audio
from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.chunked_audio import SampleData, sample_data
from pipeline.audio.doubts import doubt_of
from pipeline.audio.tags import audio_bounds

Kind = Literal["mpeg", "flac", "ogg", "chunks", "other"]

_HEAD_BYTES = 4096  # enough for the first MPEG frame
_LEAST_NAMES_READ = 16  # bytes of a printable start that are shown
_LEAST_ZEROS_OF_TEXT = 24  # zeros among 62 bytes: the upper halves of letters
# Text files that name other files; FFmpeg would open those.
_PLAYLISTS = (b"#EXTM3U", b"ffconcat version", b"[playlist]", b"<?wpl", b"<asx", b"<ASX", b"RTSPtext")
_XML_PLAYLISTS = (b"<MPD", b"<smil", b"<playlist", b"<SmoothStreamingMedia")
_SDP_START = b"v=0"
# Files that some encoders put after a WAV header, in place of the samples that it announces.
_BEHIND_WAVE_HEADER = {
    b"wvpk": "WavPack",
    b"OFR ": "OptimFROG",
    b"MAC ": "Monkey's Audio",
    b"TTA1": "True Audio",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"tBaK": "TAK",
    b"ajkg": "Shorten",
    b"LA02": "Lossless Audio",
    b"LA03": "Lossless Audio",
    b"LA04": "Lossless Audio",
}


@dataclasses.dataclass(frozen=True)
class Recognized:
    """What the headers of a file reveal.

    Attributes:
        kind: Kind of its headers.
        file: The part that is audio, without tags.
        claimed_seconds: Length that a header claims; None if none does, or if only a decoder can read it.
        missing_seconds: Part of the claimed length that is missing, judged by the file's size.
        unclaimed_seconds: Length of data after the samples that no header explains.
        joined_at: Byte at which another file of chunks begins after this one; None if there is none.
        tells_length: False for an MPEG file without a length header; libsndfile then guesses its length.
        doubt: Why libsndfile cannot be trusted with the file; None if it can.
    """

    kind: Kind
    file: AudioFile
    claimed_seconds: float | None = None
    missing_seconds: float = 0.0
    unclaimed_seconds: float = 0.0
    joined_at: int | None = None
    tells_length: bool = True
    doubt: str | None = None


def recognize(file: AudioFile) -> Recognized:
    """Read a file's headers.

    Raises:
        TrackRejected: it cannot be opened, holds only tags, has no samples according to its header, or is a playlist.
    """
    with file.open() as raw:
        first, end = audio_bounds(raw, file.size)
    if first == end and file.size:
        raise TrackRejected(Cause.NO_AUDIO, f"the file is nothing but tags of {file.size} bytes")
    audio = file.part(first, end)
    with audio.open() as raw:
        head = raw.read(_HEAD_BYTES)
        _refuse_text(head)
        if head[:4] == b"fLaC":
            return Recognized("flac", audio, claimed_seconds=_flac_seconds(head), doubt=doubt_of(raw))
        if head[:4] == b"OggS":
            return Recognized("ogg", audio, doubt=doubt_of(raw))
        if mpeg_audio.frame_at(head) is not None:
            claimed = mpeg_audio.claimed_seconds(head)
            return Recognized("mpeg", audio, claimed, tells_length=claimed is not None, doubt=doubt_of(raw))
        data = sample_data(raw, audio.size)
        if data is None:
            return Recognized("other", audio, doubt=doubt_of(raw))
        return _of_samples(raw, audio, data)


def _refuse_text(head: bytes) -> None:
    is_marked = head[:2] in (b"\xff\xfe", b"\xfe\xff") and not mpeg_audio.is_run(head, 0, least=3)
    if is_marked and head[2:64].count(0) >= _LEAST_ZEROS_OF_TEXT:
        raise TrackRejected(Cause.UNSUPPORTED_FORMAT, "the file is a text of two bytes a letter")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    is_sdp = start.startswith(_SDP_START) and b"\nm=" in head.replace(b"\r", b"\n")
    is_xml = start.startswith(b"<") and any(mark in start for mark in _XML_PLAYLISTS)
    if start.startswith(_PLAYLISTS) or is_sdp or is_xml:
        words = start[:_LEAST_NAMES_READ].split(b"\n")[0].decode("ascii", "replace").strip()
        raise TrackRejected(Cause.UNSUPPORTED_FORMAT, f"the file is a playlist ({words}), which names other files")


def _flac_seconds(head: bytes) -> float | None:
    stream = head[8:42]
    if len(stream) < 34:
        return None
    rate = int.from_bytes(stream[10:13]) >> 4
    samples = int.from_bytes(stream[13:18]) & (1 << 36) - 1
    return samples / rate if samples and rate else None


def _of_samples(raw: BinaryIO, audio: AudioFile, data: SampleData) -> Recognized:
    raw.seek(data.first)
    start = raw.read(4)
    if start in _BEHIND_WAVE_HEADER:
        hidden = audio.part(data.first)
        return Recognized("other", hidden, doubt=f"{_BEHIND_WAVE_HEADER[start]} behind a header that announces samples")
    if data.says_zero and data.followed and data.present:
        raise TrackRejected(Cause.EMPTY, "the file's header announces no samples, and chunks of other data follow it")
    return Recognized(
        "chunks",
        audio,
        missing_seconds=data.missing_seconds,
        unclaimed_seconds=data.unclaimed_seconds,
        doubt=doubt_of(raw),
        joined_at=data.joined_at,
    )
