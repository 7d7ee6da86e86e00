"""Encode sound as mp3, ogg, flac and wav in rotation, at various qualities, with the same bytes every time."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.ogg_pages import ogg_checksum
from pipeline.corpus.seeding import stream

BLOCK: Final = 65_536  # frames passed to the encoder at a time; libvorbis overflows its stack on a whole track
LOSSY_QUALITY: Final = (0.2, 0.7)  # libsndfile's compression level, from 0 (best quality) to 1 (smallest file)
BITRATE_MODES: Final = ("CONSTANT", "VARIABLE", "VARIABLE")
PCM_DEPTHS: Final = ("PCM_16", "PCM_16", "PCM_24")  # integers only, since a float WAV contains the time of writing

# An Ogg page: capture pattern, version, flags, position (8), serial (4), number (4), checksum (4), segments, sizes.
OGG_CAPTURE: Final = b"OggS"
OGG_SERIAL: Final = slice(14, 18)
OGG_CHECKSUM: Final = slice(22, 26)
OGG_SEGMENTS: Final = 26


@dataclass(frozen=True)
class Encoding:
    """Encoding of a track.

    Attributes:
        extension: Extension of the file without a dot.
        subtype: libsndfile's name of the sample format or codec.
        quality: Compression level of a lossy codec, 0 to 1; None for other codecs.
        bitrate_mode: Bit rate mode of an mp3; None for other formats.
    """

    extension: str
    subtype: str
    quality: float | None = None
    bitrate_mode: str | None = None


def choose_encoding(seed: int, track: int) -> Encoding:
    """The encoding of a track: the format in rotation, and a random quality."""
    rng = stream(seed, "encoding", track)
    quality = float(rng.uniform(*LOSSY_QUALITY))
    mode = BITRATE_MODES[int(rng.integers(len(BITRATE_MODES)))]
    depth = PCM_DEPTHS[int(rng.integers(len(PCM_DEPTHS)))]
    rotation = (
        Encoding("mp3", "MPEG_LAYER_III", quality, mode),
        Encoding("ogg", "VORBIS", quality),
        Encoding("flac", depth),
        Encoding("wav", depth),
    )
    return rotation[track % len(rotation)]


def encode(sound: npt.NDArray[np.float32], sample_rate: int, encoding: Encoding, serial: int) -> bytes:
    """Encode a track.

    Args:
        sound: Samples [shape=(samples, channels), float32], full scale 1.
        sample_rate: Sample rate in Hz.
        encoding: Format and quality.
        serial: Serial number of an Ogg stream; unused for other formats.

    Returns:
        The bytes of the file, which depend only on the arguments.
    """
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer,
        "w",
        samplerate=sample_rate,
        channels=sound.shape[1],
        format=encoding.extension.upper(),
        subtype=encoding.subtype,
        compression_level=encoding.quality,
        bitrate_mode=encoding.bitrate_mode,
    ) as file:
        for start in range(0, len(sound), BLOCK):
            file.write(sound[start : start + BLOCK])
    data = buffer.getvalue()
    return number_ogg(data, serial) if encoding.extension == "ogg" else data


def number_ogg(data: bytes, serial: int) -> bytes:
    """Give an Ogg file with one stream another serial number, since libsndfile takes it from the clock.

    Args:
        data: Bytes of the file.
        serial: New serial number, 0 to 2**32 - 1.

    Returns:
        The file with the serial and the checksum of every page rewritten.

    Raises:
        ValueError: `data` is not a sequence of whole Ogg pages.
    """
    pages = []
    start = 0
    while start < len(data):
        if data[start : start + len(OGG_CAPTURE)] != OGG_CAPTURE or start + OGG_SEGMENTS >= len(data):
            raise ValueError(f"Expected an Ogg page at byte {start}. Received: {data[start : start + 8]!r}.")
        segments = data[start + OGG_SEGMENTS]
        body = start + OGG_SEGMENTS + 1 + segments
        end = body + sum(data[start + OGG_SEGMENTS + 1 : body])
        if end > len(data):
            raise ValueError(f"Expected {end - start} bytes of an Ogg page at byte {start}. Received: too few.")
        page = bytearray(data[start:end])
        page[OGG_SERIAL] = serial.to_bytes(4, "little")
        page[OGG_CHECKSUM] = bytes(4)
        page[OGG_CHECKSUM] = ogg_checksum(bytes(page)).to_bytes(4, "little")
        pages.append(bytes(page))
        start = end
    return b"".join(pages)
