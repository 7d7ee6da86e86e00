"""Tags that other programs put around audio."""

from __future__ import annotations

import struct

import numpy as np

ID3_HEADER_BYTES = 10


def id3v2(size: int) -> bytes:
    """An ID3v2.3 tag of `size` bytes that holds a picture: bytes of any value, as in a JPEG."""
    picture = np.random.default_rng(0).bytes(size - 2 * ID3_HEADER_BYTES - 14)
    body = b"\0image/jpeg\0\3\0" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    return b"ID3\3\0\0" + bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frame


def without_id3v2(data: bytes) -> bytes:
    """The bytes of a file without the ID3v2 tag at its start."""
    size = 0
    for byte in data[6:ID3_HEADER_BYTES]:
        size = size << 7 | byte
    return data[ID3_HEADER_BYTES + size :] if data[:3] == b"ID3" else data


def apev2(size: int) -> bytes:
    """An APEv2 tag of `size` bytes that holds a picture, with header and footer, as at the end of a file."""
    header = struct.calcsize("<8sIIII8s")
    key = b"Cover Art (Front)\0"
    value = np.random.default_rng(1).bytes(size - 2 * header - 8 - len(key))
    item = struct.pack("<II", len(value), 2) + key + value

    def block(flags: int) -> bytes:
        return struct.pack("<8sIIII8s", b"APETAGEX", 2000, len(item) + header, 1, flags, bytes(8))

    return block(0xA0000000) + item + block(0x80000000)
