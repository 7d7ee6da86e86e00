"""Tell samples that are no samples: DTS, AC-3 or MPEG frames that a header calls PCM, and that play as loud noise."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from pipeline.audio.mpeg_audio import is_run

_LOOKED_AT = 1 << 17  # 16 bit words of the first sound (131,072: 1.5 s of a stereo CD)
_LEAST_REPEATS = 4  # of a sync word at one distance, which chance does not bring about
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


def bitstream_in(block: npt.NDArray[np.float32]) -> str | None:
    """What the samples of a block really are; None if they are samples.

    Args:
        block: float32 [frames, channels] as decoded, full scale at 1.0.
    """
    words = block.reshape(-1)[:_LOOKED_AT] * _INT16_SCALE
    with np.errstate(invalid="ignore"):
        whole = np.clip(words, -_INT16_SCALE, _INT16_SCALE - 1).astype(np.int16)
    if not np.array_equal(whole, words):
        return None  # finer than 16 bits, so from no bitstream
    for data in (whole.astype(">i2").tobytes(), whole.astype("<i2").tobytes()):
        for name, sync in _SYNC_WORDS.items():
            if _repeats(data, sync):
                return name
        if _is_ac3(data):
            return "AC-3"
        if any(is_run(data, sync.start()) for sync in _MPEG_SYNC.finditer(data, 0, _MPEG_STARTS_WITHIN)):
            return "MPEG audio"
    return None


def _repeats(data: bytes, sync: bytes) -> bool:
    """True if a sync word stands at one distance several times in a row."""
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
    """Bytes of the AC-3 frame at a place; 0 if none begins there."""
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
