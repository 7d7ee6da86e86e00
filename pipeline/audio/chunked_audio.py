"""Read from the headers of WAV, RF64, W64, AIFF, CAF and AU where their samples lie and how long they claim to be.

Decoders silently reduce a claim to what the file holds. This module reads the original claim.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.audio.tags import id3_length

# Programs that do not know the length when they begin write 0, all ones, or round numbers below 2 GiB and 4 GiB.
_LEAST_UNKNOWN = 2_000_000_000 - 128
_LEAST_UNKNOWN_W64 = (1 << 62) - 24  # without the 24 bytes of a chunk's head
_MOST_CHUNKS = 10_000  # followed in a file
_KNOWN_CHUNKS = frozenset(
    name.ljust(4).encode()
    for name in (
        "LIST id3 ID3 bext cue fact smpl inst iXML cart PEAK JUNK junk PAD afsp _PMX LGWV DISP acid strc umid aXML qlty "
        "levl MARK NAME AUTH (c) ANNO COMT APPL MIDI AESD CHAN FVER INST"
    ).split()
)
_MOST_LEFT_OVER = 3  # bytes by which the end of a tag may miss the end of the file
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_AU_SAMPLE_BITS = {1: 8, 2: 8, 3: 16, 4: 24, 5: 32, 6: 32, 7: 64, 23: 4, 24: 4, 25: 3, 26: 5, 27: 8}
_IMA4_FRAMES = 64  # frames in a packet; AIFC counts packets


@dataclasses.dataclass(frozen=True)
class SampleData:
    """Position of a file's samples according to its header.

    Attributes:
        first: First byte of the samples.
        claimed: Bytes that the header claims; None if it makes no plausible claim.
        present: Bytes from `first` to the end of the file.
        seconds_per_byte: Duration of a byte in seconds; None if the header does not give it.
        followed: True if the samples are followed by chunks, padding or nothing.
        joined_at: Byte at which another file of this kind begins after this one; None if there is none.
        says_zero: True if the header claims that there are no samples.
    """

    first: int
    claimed: int | None
    present: int
    seconds_per_byte: float | None
    followed: bool = True
    joined_at: int | None = None
    says_zero: bool = False

    @property
    def missing_seconds(self) -> float:
        """Seconds missing from the header's claim; infinite if something is missing and its length is unknown."""
        missing = 0 if self.claimed is None else self.claimed - self.present
        if missing <= 0:
            return 0.0
        return math.inf if self.seconds_per_byte is None else missing * self.seconds_per_byte

    @property
    def unclaimed_seconds(self) -> float:
        """Seconds of data after the samples that no header explains."""
        if self.claimed is None or self.followed or self.joined_at is not None:
            return 0.0
        beyond = max(self.present - self.claimed, 0)
        return math.inf if beyond and self.seconds_per_byte is None else beyond * (self.seconds_per_byte or 0.0)


@dataclasses.dataclass(frozen=True)
class _Chunk:
    name: bytes
    first: int
    size: int

    @property
    def end(self) -> int:
        return self.first + self.size


@dataclasses.dataclass(frozen=True)
class _Heads:
    """How a format writes the heads of its chunks.

    Attributes:
        fields: Four-letter name and size of a chunk, as `struct` unpacks them.
        alignment: Every head begins at a multiple of this number of bytes.
        counted: True if the size counts the head too.
    """

    fields: struct.Struct
    alignment: int
    counted: bool = False


_W64_HEADS = _Heads(struct.Struct("<4s12xQ"), 8, counted=True)  # the name begins a GUID
_CAF_HEADS = _Heads(struct.Struct(">4sq"), 1)


def _iff_heads(order: str) -> _Heads:
    """The heads of RIFF and AIFF, in either byte order."""
    return _Heads(struct.Struct(f"{order}4sI"), 2)


def sample_data(raw: BinaryIO, size: int) -> SampleData | None:
    """Position of the samples in a file of `size` bytes; None if it has none of these formats, or is too broken."""
    raw.seek(0)
    head = raw.read(40)
    try:
        if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
            return _wave(raw, size, ">" if head[:4] == b"RIFX" else "<")
        if head[:16] == _W64_RIFF:
            return _wave64(raw, size)
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            return _aiff(raw, size)
        if head[:4] == b"caff":
            return _caf(raw, size)
        if head[:4] in (b".snd", b"dns."):
            return _au(raw, head, size, ">" if head[:4] == b".snd" else "<")
    except (struct.error, ArithmeticError, ValueError):  # a truncated or absurd header is left to the decoders
        return None
    return None


def _chunks(raw: BinaryIO, offset: int, size: int, heads: _Heads) -> Iterator[_Chunk]:
    """Chunks from an offset on; when one is yielded, `raw` is at its first byte."""
    for _ in range(_MOST_CHUNKS):
        raw.seek(offset)
        head = raw.read(heads.fields.size)
        if len(head) < heads.fields.size:
            return
        name, length = heads.fields.unpack(head)
        chunk = _Chunk(name, offset + len(head), length - len(head) if heads.counted else length)
        yield chunk
        offset = max(chunk.first, chunk.end)
        offset += -offset % heads.alignment
        if length < 0 or offset >= size:
            return


def _read(raw: BinaryIO, chunk: _Chunk, most: int) -> bytes:
    raw.seek(chunk.first)
    return raw.read(min(chunk.size, most))


def _claim(size: int) -> int | None:
    return size if 0 < size < _LEAST_UNKNOWN else None


def _wave(raw: BinaryIO, size: int, order: str) -> SampleData | None:
    per_byte: float | None = None
    long_size: int | None = None
    for chunk in _chunks(raw, 12, size, _iff_heads(order)):
        if chunk.name == b"ds64":
            long_size = struct.unpack("<Q", _read(raw, chunk, 16)[8:])[0]
        elif chunk.name == b"fmt ":
            per_byte = _wave_seconds_per_byte(_read(raw, chunk, 16), order)
        elif chunk.name == b"data":
            is_long = long_size is not None and chunk.size == 0xFFFFFFFF
            claimed = long_size if is_long else _claim(chunk.size)
            return _followed(raw, size, chunk.first, claimed, per_byte, order, says_zero=chunk.size == 0)
    return None


def _wave_seconds_per_byte(header: bytes, order: str) -> float | None:
    tag, _, rate, byte_rate, block, _ = struct.unpack(f"{order}HHIIHH", header)
    if tag in (1, 3) and rate and block:
        byte_rate = rate * block
    return 1 / byte_rate if byte_rate else None


def _followed(
    raw: BinaryIO, size: int, first: int, claimed: int | None, per_byte: float | None, order: str, *, says_zero: bool
) -> SampleData:
    """Position of the samples, with a check of what follows them."""
    end = first + (claimed or 0)
    end += end % 2
    data = SampleData(first, claimed, max(size - first, 0), per_byte, says_zero=says_zero)
    if end >= size or (claimed is None and not says_zero):
        return data
    is_chain, joined_at = _chain(raw, end, size, order, to_the_byte=says_zero)
    if not is_chain and not says_zero:
        # Some programs leave out the pad byte, or miscount by a little.
        is_chain = any(_chain(raw, end + by, size, order, to_the_byte=True)[0] for by in range(-4, 4))
    return dataclasses.replace(data, followed=is_chain, joined_at=joined_at)


def _chain(raw: BinaryIO, offset: int, size: int, order: str, *, to_the_byte: bool) -> tuple[bool, int | None]:
    """Whether chunks or zeros fill a file from an offset to its end, and where another file begins after them.

    Samples can look like the head of a chunk, but hardly ever like one that ends where the file does. So the last chunk must
    end there, unless it has a known name and may be cut; with `to_the_byte` that exception does not apply.
    """
    for chunk in _chunks(raw, offset, size, _iff_heads(order)):
        begin = chunk.first - 8
        if chunk.name in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
            return True, begin
        if chunk.name == bytes(4) and not to_the_byte:
            raw.seek(begin)
            return not any(iter(lambda: raw.read(1 << 16).strip(b"\0"), b"")), None
        if chunk.name[:3] == b"ID3":  # a tag, which is not a chunk
            raw.seek(begin)
            return abs(begin + id3_length(raw.read(10)) - size) <= _MOST_LEFT_OVER, None
        if not _is_name(chunk.name):
            return False, None
        if chunk.end >= size:
            is_known = chunk.name in _KNOWN_CHUNKS and not to_the_byte
            return is_known or chunk.end in (size, size + 1), None
    return not to_the_byte, None


def _is_name(name: bytes) -> bool:
    return all(0x20 <= letter <= 0x7E for letter in name)


def _wave64(raw: BinaryIO, size: int) -> SampleData | None:
    per_byte: float | None = None
    for chunk in _chunks(raw, 40, size, _W64_HEADS):
        if chunk.name == b"fmt ":
            per_byte = _wave_seconds_per_byte(raw.read(16), "<")
        elif chunk.name == b"data":
            # A length that was never filled in claims nothing; RIFF's size limit does not apply here.
            claimed = chunk.size if 0 < chunk.size < _LEAST_UNKNOWN_W64 else None
            return SampleData(chunk.first, claimed, max(size - chunk.first, 0), per_byte)
    return None


def _aiff(raw: BinaryIO, size: int) -> SampleData | None:
    seconds: float | None = None
    for chunk in _chunks(raw, 12, size, _iff_heads(">")):
        if chunk.name == b"COMM":
            common = _read(raw, chunk, 22)
            _, frames, _, exponent, mantissa = struct.unpack(">hIhHQ", common[:18])
            rate = math.ldexp(mantissa, (exponent & 0x7FFF) - 16_383 - 63)
            seconds = frames * (_IMA4_FRAMES if common[18:22] == b"ima4" else 1) / rate if rate else None
        elif chunk.name == b"SSND":
            offset = struct.unpack(">I", _read(raw, chunk, 4))[0]
            claimed = _claim(chunk.size - 8 - offset) if chunk.size >= 8 else None
            per_byte = seconds / claimed if seconds and claimed else None
            return _followed(
                raw, size, chunk.first + 8 + offset, claimed, per_byte, ">", says_zero=chunk.size == 8 + offset
            )
    return None


def _caf(raw: BinaryIO, size: int) -> SampleData | None:
    per_byte: float | None = None
    for chunk in _chunks(raw, 8, size, _CAF_HEADS):
        if chunk.name == b"desc":
            rate, _, _, packet_bytes, packet_frames, _, _ = struct.unpack(">d4sIIIII", raw.read(32))
            per_byte = packet_frames / rate / packet_bytes if rate and packet_bytes else None
        elif chunk.name == b"data":
            first = chunk.first + 4  # after a count of edits
            claimed = chunk.size - 4 if chunk.size > 4 else None
            return SampleData(
                first, claimed, max(size - first, 0), per_byte, followed=_caf_chunk_at(raw, first, claimed, size)
            )
    return None


def _caf_chunk_at(raw: BinaryIO, first: int, claimed: int | None, size: int) -> bool:
    """True if the samples of a CAF file are followed by a chunk or by nothing."""
    if claimed is None or first + claimed + 12 > size:
        return True
    raw.seek(first + claimed)
    name, length = struct.unpack(">4sq", raw.read(12))
    return _is_name(name) and 0 <= length <= size


def _au(raw: BinaryIO, head: bytes, size: int, order: str) -> SampleData:
    first, claimed, encoding, rate, channels = struct.unpack(f"{order}IIIII", head[4:24])
    bits = _AU_SAMPLE_BITS.get(encoding, 0) * channels * rate
    per_byte = 8 / bits if bits else None
    present = max(size - first, 0)
    known = _claim(claimed)
    if known is None or known >= present:
        return SampleData(first, known, present, per_byte)
    raw.seek(first + known)
    joined_at = first + known if raw.read(4) == head[:4] else None
    return SampleData(first, known, present, per_byte, followed=False, joined_at=joined_at)
