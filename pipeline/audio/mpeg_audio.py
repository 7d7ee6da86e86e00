"""MPEG audio frames (mp3, mp2, mp1): their headers, and the length that a Xing or VBRI header claims.

ISO/IEC 11172-3 and 13818-3 define the layout of a frame's header; MPEG-2.5 is Fraunhofer's extension.
"""

from __future__ import annotations

import dataclasses
from typing import BinaryIO

HEADER_BYTES = 4
_XING_MARKS = (b"Xing", b"Info")
_VBRI_OFFSET = 36  # offset of a VBRI header from the start of its frame
_HAS_FRAMES = 1  # flag of a Xing header: a count of frames follows
# Consecutive frames required to count as audio: 0.1 to 0.6 s.
_LEAST_RUN = 8
_SEARCHED_BYTES = 1 << 20  # searched for such a run (1 MiB)

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# kbit/s by (is MPEG-1, layer); the first entry means a free bit rate, for which the frame length is unknown.
_BIT_RATES = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclasses.dataclass(frozen=True)
class MpegFrame:
    """A frame as its header describes it.

    Attributes:
        layer: 1, 2 or 3.
        sample_rate: Sample rate in Hz.
        samples: Samples per channel in the frame.
        length: Length of the whole frame in bytes; 0 for a free bit rate.
        xing_offset: Offset of a Xing header, if there is one, from the start of the frame in bytes.
    """

    layer: int
    sample_rate: int
    samples: int
    length: int
    xing_offset: int

    @property
    def kind(self) -> tuple[int, int]:
        """Properties that all frames of a stream share."""
        return self.layer, self.sample_rate


def frame_at(data: bytes, offset: int = 0) -> MpegFrame | None:
    """The frame whose header is at an offset of `data`; None if there is none."""
    header = data[offset : offset + HEADER_BYTES]
    if len(header) < HEADER_BYTES or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bit_rate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bit_rate == 15 or rate == 3:  # reserved values
        return None
    is_first = version == 3
    sample_rate = _RATES[version][rate]
    bits = 1000 * _BIT_RATES[is_first, layer][bit_rate]
    samples = 384 if layer == 1 else 1152 if layer == 2 or is_first else 576
    if layer == 1:
        length = (12 * bits // sample_rate + padding) * 4
    else:
        length = samples // 8 * bits // sample_rate + padding
    is_mono = header[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    return MpegFrame(layer, sample_rate, samples, length if bits else 0, HEADER_BYTES + side)


def claimed_seconds(data: bytes) -> float | None:
    """Length in seconds that the Xing or VBRI header in the first frame of a file claims; None if there is none.

    It includes the encoder's delay and padding: up to 0.05 s at 44.1 kHz.

    Args:
        data: Start of the file, including the whole first frame.
    """
    frame = frame_at(data)
    if frame is None:
        return None
    frames = _claimed_frames(data, 0, frame)
    return frames * frame.samples / frame.sample_rate if frames else None


def has_length_header(data: bytes, offset: int) -> bool:
    """True if the frame at an offset holds a Xing or VBRI header, which only the first frame of a file may do."""
    frame = frame_at(data, offset)
    return frame is not None and _claimed_frames(data, offset, frame) is not None


def _claimed_frames(data: bytes, offset: int, frame: MpegFrame) -> int | None:
    xing = data[offset + frame.xing_offset : offset + frame.xing_offset + 12]
    if xing[:4] in _XING_MARKS and len(xing) == 12:
        return int.from_bytes(xing[8:12]) if int.from_bytes(xing[4:8]) & _HAS_FRAMES else 0
    vbri = data[offset + _VBRI_OFFSET : offset + _VBRI_OFFSET + 18]
    if vbri[:4] == b"VBRI" and len(vbri) == 18:
        return int.from_bytes(vbri[14:18])
    return None


def holds_audio(raw: BinaryIO, offset: int) -> bool:
    """True if a run of frames, which no other data resembles, begins at or after `offset`."""
    raw.seek(offset)
    data = raw.read(_SEARCHED_BYTES)
    at = data.find(b"\xff")
    while at >= 0:
        if is_run(data, at):
            return True
        at = data.find(b"\xff", at + 1)
    return False


def is_run(data: bytes, offset: int, least: int = _LEAST_RUN) -> bool:
    """True if consecutive frames of one kind begin at an offset."""
    first = frame_at(data, offset)
    frame = first
    for _ in range(least):
        if frame is None or first is None or frame.length == 0 or frame.kind != first.kind:
            return False
        offset += frame.length
        frame = frame_at(data, offset)
    return True
