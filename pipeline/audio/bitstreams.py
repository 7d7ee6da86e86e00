"""Detect bitstreams posing as samples: DTS, AC-3 or MPEG frames that a header calls PCM, and that play as loud noise."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.mpeg_audio import frame_at, is_run

LOOKED_AT = 1 << 17  # 16 bit words examined from the first sound on (131,072: 1.5 s of a stereo CD)
_LEAST_REPEATS = 4  # repeats of a sync word at equal distances, which do not occur by chance
# FFmpeg's codec names for them when it recognizes them in spite of the header.
BITSTREAM_CODECS = frozenset(
    {"dca", "ac3", "eac3", "truehd", "mlp", "mp1float", "mp2float", "mp3float", "mp1", "mp2", "mp3"}
)
_INT16_SCALE = np.float32(32_768)

# Sync words in the byte order of the medium. IEC 61937 wraps any of them for a digital output.
_SYNC_WORDS = {
    "a digital output's bitstream (IEC 61937)": b"\xf8\x72\x4e\x1f",
    "DTS": b"\x7f\xfe\x80\x01",
    "DTS of 14 bits": b"\x1f\xff\xe8\x00",
}
_MPEG_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")
_MPEG_STARTS_WITHIN = 4096  # bytes
_AC3_SYNC = re.compile(rb"\x0b\x77..[\x00-\xa5]", re.DOTALL)
# Bytes of an AC-3 frame by its size code, at 48, 44.1 and 32 kHz; ATSC A/52, table 5.18.
_AC3_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


class BitstreamFound(TrackRejected):
    """The header claims samples, but the data is a bitstream."""

    def __init__(self, name: str) -> None:
        super().__init__(Cause.UNSUPPORTED_FORMAT, f"what is called samples is {name}")


class BitstreamWatch:
    """Examines the first sound of a track after any leading silence, however small the blocks are."""

    def __init__(self) -> None:
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._words = 0

    def hear(self, block: npt.NDArray[np.float32]) -> None:
        """Take the next block, float32 [frames, channels]; raises BitstreamFound."""
        if self._words >= LOOKED_AT:
            return
        if not self._blocks:
            loud = np.flatnonzero(block.reshape(-1))
            if len(loud) == 0:
                return
            block = block.reshape(-1)[loud[0] :]
        self._blocks.append(block.reshape(-1).copy())
        self._words += self._blocks[-1].size
        if self._words >= LOOKED_AT:
            self.decide()

    def decide(self) -> None:
        """Judge the blocks taken so far; raises BitstreamFound."""
        name = bitstream_in(np.concatenate(self._blocks)) if self._blocks else None
        self._blocks = []
        if name is not None:
            raise BitstreamFound(name)


def bitstream_in(samples: npt.NDArray[np.float32]) -> str | None:
    """Name of the bitstream at the start of a track; None if it holds samples.

    Args:
        samples: float32 [frames × channels] or [frames, channels] as decoded, full scale at 1.0.
    """
    words = samples.reshape(-1)[:LOOKED_AT] * _INT16_SCALE
    with np.errstate(invalid="ignore"):
        whole = np.clip(words, -_INT16_SCALE, _INT16_SCALE - 1).astype(np.int16)
    if not np.array_equal(whole, words):
        return None  # finer than 16 bits, so not a bitstream
    for data in (whole.astype(">i2").tobytes(), whole.astype("<i2").tobytes()):
        for name, sync in _SYNC_WORDS.items():
            if _repeats(data, sync):
                return name
        if _is_ac3(data):
            return "AC-3"
        if any(_is_mpeg(data, sync.start()) for sync in _MPEG_SYNC.finditer(data, 0, _MPEG_STARTS_WITHIN)):
            return "MPEG audio"
    return None


def _is_mpeg(data: bytes, place: int) -> bool:
    frame = frame_at(data, place)
    if frame is None or not is_run(data, place):
        return False
    one, two = (data[start : start + frame.length] for start in (place, place + frame.length))
    return one != two  # equal frames are periods of a tone


def _repeats(data: bytes, sync: bytes) -> bool:
    """True if a sync word repeats at equal distances several times in a row."""
    places: list[int] = []
    place = data.find(sync)
    while place >= 0 and len(places) <= _LEAST_REPEATS:
        places.append(place)
        place = data.find(sync, place + 1)
    return len(places) > _LEAST_REPEATS and len(set(np.diff(places).tolist())) <= 2


def _is_ac3(data: bytes) -> bool:
    for match in _AC3_SYNC.finditer(data):
        place = match.start()
        for _ in range(_LEAST_REPEATS):
            length = _ac3_length(data, place)
            if length == 0:
                break
            place += length
        else:
            return True
    return False


def _ac3_length(data: bytes, place: int) -> int:
    """Length in bytes of the AC-3 frame at a position; 0 if none begins there."""
    head = data[place : place + 5]
    if len(head) < 5 or head[:2] != b"\x0b\x77":
        return 0
    rate, size = head[4] >> 6, head[4] & 0x3F
    if rate == 3 or size >= 2 * len(_AC3_RATES):
        return 0
    kilobits = _AC3_RATES[size >> 1]
    if rate == 0:
        return 4 * kilobits
    return 6 * kilobits if rate == 2 else 2 * (kilobits * 320 // 147 + (size & 1))
