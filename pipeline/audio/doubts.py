"""Detect from their first headers the files with which libsndfile cannot be trusted: only FFmpeg decodes those."""

from __future__ import annotations

from typing import BinaryIO

from pipeline.audio.flac_frames import changes_shape
from pipeline.audio.mpeg_audio import frame_at

_LEAST_FLAC_BLOCK = 16  # samples; RFC 9639, section 8.2
_FLAC_FRAME_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}  # sample size codes; RFC 9639, section 9.1.4
_LAST_BLOCK = 0x80
_OGG_HEAD_BYTES = 64  # a page's header and the first packet of an Opus stream
_GSM_TAG = b"\x31\x00"
_MOST_LOW_OPUS_RATE = 24_000  # Hz; above this libsndfile makes libopus decode at its full rate of 48 kHz


def doubt_of(file: BinaryIO) -> str | None:
    """Why libsndfile cannot be trusted with a file; None if it can.

    It silently decodes FLAC and MPEG audio files that break their format's rules, at a wrong level or not to the end; FFmpeg
    refuses most of them. A track is not worth that doubt, so FFmpeg alone decides. libsndfile also decodes Opus at the rate
    that the header names, which is unrelated to the sound (RFC 7845, section 5.1), and takes the block headers of Creative
    Voice files for samples.

    Args:
        file: An open file that begins with its audio; read from its start.
    """
    file.seek(0)
    head = file.read(4)
    if head == b"fLaC":
        return _broken_flac_rule(file)
    if head == b"OggS":
        return _low_opus_rate(file)
    if head == b"Crea" and file.read(15) == b"tive Voice File":
        return "a Creative Voice file of several blocks"
    if head == b"RIFF":
        format_chunk = file.read(18)[8:]
        is_gsm = format_chunk[:4] == b"fmt " and format_chunk[8:] == _GSM_TAG
        return "GSM 6.10 in WAV, of which libsndfile may decode a block too many" if is_gsm else None
    frame = frame_at(head)
    if frame is not None and frame.length == 0:
        return "MPEG audio of a free bit rate"
    return None


def _low_opus_rate(file: BinaryIO) -> str | None:
    file.seek(0)
    page = file.read(_OGG_HEAD_BYTES)
    start = page.find(b"OpusHead")
    rate = int.from_bytes(page[start + 12 : start + 16], "little")
    is_low = rate <= _MOST_LOW_OPUS_RATE or rate >= 1 << 31  # which libsndfile reads as a negative number
    return f"Opus that names a rate of {rate} Hz" if start >= 0 and is_low else None


def _broken_flac_rule(file: BinaryIO) -> str | None:
    header = file.read(4)
    stream = file.read(34)
    if len(header) < 4 or len(stream) < 34:
        return None  # truncated, which any decoder reports
    if header[0] & ~_LAST_BLOCK:
        return "the first metadata block of the FLAC file is not STREAMINFO"
    largest = int.from_bytes(stream[2:4])
    if largest < _LEAST_FLAC_BLOCK:
        return f"the FLAC file names blocks of {largest} samples, where at least {_LEAST_FLAC_BLOCK} are allowed"
    bits = ((stream[12] & 1) << 4 | stream[13] >> 4) + 1
    while not header[0] & _LAST_BLOCK:
        header = file.read(4)
        if len(header) < 4:
            return None
        file.seek(int.from_bytes(header[1:]), 1)
    frame = file.read(4)
    if len(frame) == 4 and frame[0] == 0xFF and frame[1] & 0xFC == 0xF8:
        frame_bits = _FLAC_FRAME_BITS.get(frame[3] >> 1 & 7, bits)
        if frame_bits != bits:
            return f"the FLAC file's STREAMINFO says {bits} bits a sample, its first frame {frame_bits}"
    counts_none = int.from_bytes(stream[13:18]) & (1 << 36) - 1 == 0  # as in a stream whose format may change
    if counts_none and changes_shape(file):
        return "the FLAC file changes its rate or its channels half-way"
    return None
