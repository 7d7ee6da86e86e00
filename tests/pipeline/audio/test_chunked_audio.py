"""The claims in headers of sample files, as libsndfile and FFmpeg write them, are compared with the file's size."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.chunked_audio import SampleData, sample_data

RATE = 8_000
SECONDS = 10
SOUND = 0.1 * np.sin(np.arange(SECONDS * RATE) / 5)
KINDS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_U8"),
    ("WAV", "FLOAT"),
    ("WAV", "MS_ADPCM"),
    ("WAV", "GSM610"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AIFF", "FLOAT"),
    ("AIFF", "ULAW"),
    ("AU", "PCM_16"),
    ("AU", "G721_32"),
    ("CAF", "PCM_16"),
]


def written(folder: Path, kind: str, subtype: str) -> bytes:
    path = folder / "a"
    soundfile.write(path, SOUND, RATE, format=kind, subtype=subtype)
    return path.read_bytes()


def read(data: bytes) -> SampleData:
    found = sample_data(io.BytesIO(data), len(data))
    assert found is not None
    return found


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_whole_file_lacks_nothing_and_a_cut_one_what_was_cut(kind: str, subtype: str, tmp_path: Path) -> None:
    data = written(tmp_path, kind, subtype)
    whole = read(data)
    assert whole.missing_seconds == 0
    assert whole.unclaimed_seconds == 0
    samples = data[whole.first : whole.first + (whole.claimed or 0)]
    cut = read(data[: whole.first + len(samples) * 6 // 10])
    assert cut.missing_seconds == pytest.approx(0.4 * SECONDS, rel=0.02)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 2_000_000_000 - 36])
def test_a_length_that_a_pipe_could_not_know_is_no_claim(size: int, tmp_path: Path) -> None:
    data = written(tmp_path, "WAV", "PCM_16")
    place = data.index(b"data") + 4
    found = read(data[:place] + struct.pack("<I", size) + data[place + 4 :])
    assert (found.claimed, found.missing_seconds, found.unclaimed_seconds) == (None, 0, 0)
    assert found.present == 2 * len(SOUND)


@pytest.mark.parametrize(
    "behind", [b"", b"LIST" + struct.pack("<I", 4) + b"INFO", b"id3 " + struct.pack("<I", 99), bytes(50)]
)
def test_chunks_and_padding_behind_the_samples_are_no_audio(behind: bytes, tmp_path: Path) -> None:
    assert read(written(tmp_path, "WAV", "PCM_16") + behind).unclaimed_seconds == 0


@pytest.mark.parametrize("by", [-3, -2, -1, 1, 2, 3])
def test_a_size_that_is_off_by_little_leaves_nothing_unexplained(by: int, tmp_path: Path) -> None:
    data = written(tmp_path, "WAV", "PCM_16")
    place = data.index(b"data") + 4
    size = struct.unpack("<I", data[place : place + 4])[0] + by
    behind = b"LIST" + struct.pack("<I", 300_000) + bytes(300_000)
    assert read(data[:place] + struct.pack("<I", size) + data[place + 4 :] + behind).unclaimed_seconds == 0


def test_an_id3_tag_that_is_no_chunk_is_no_audio(tmp_path: Path) -> None:
    tag = b"ID3\x03\x00\x00" + bytes((0, 24, 0, 0)) + b"x" * (24 << 14)
    assert read(written(tmp_path, "WAV", "PCM_16") + tag).unclaimed_seconds == 0


def test_samples_that_look_like_the_head_of_a_chunk_are_recognized(tmp_path: Path) -> None:
    tone = 0.5 + 0.2 * np.sin(np.arange(SECONDS * RATE) / 64)
    soundfile.write(tmp_path / "a.wav", -tone, RATE, subtype="PCM_U8")  # values from 0x26 to 0x59
    data = (tmp_path / "a.wav").read_bytes()
    place = data.index(b"data") + 4
    for third in range(26_000, 26_040):
        found = read(data[:place] + struct.pack("<I", third) + data[place + 4 :])
        assert found.unclaimed_seconds == pytest.approx(SECONDS - third / RATE, abs=0.01)


def test_a_caf_file_that_claims_too_little_is_recognized(tmp_path: Path) -> None:
    data = written(tmp_path, "CAF", "PCM_16")
    place = data.index(b"data") + 4
    half = struct.pack(">q", 4 + len(SOUND))
    found = read(data[:place] + half + data[place + 8 :])
    assert found.unclaimed_seconds == pytest.approx(SECONDS / 2, abs=0.01)


@pytest.mark.parametrize("length", [2**64 - 1, 2**63 - 1, 2**64 - 16])
def test_an_absurd_length_is_no_error(length: int, tmp_path: Path) -> None:
    w64 = bytearray(written(tmp_path, "W64", "PCM_16"))
    for name in (b"fmt ", b"data"):
        changed = bytearray(w64)
        place = changed.index(name) + 16
        changed[place : place + 8] = struct.pack("<Q", length)
        found = sample_data(io.BytesIO(changed), len(changed))
        assert found is None or found.missing_seconds == 0


def test_samples_behind_a_header_that_claims_too_little_are_recognized(tmp_path: Path) -> None:
    data = written(tmp_path, "WAV", "PCM_16")
    place = data.index(b"data") + 4
    found = read(data[:place] + struct.pack("<I", 2 * 3 * RATE) + data[place + 4 :])
    assert found.unclaimed_seconds == pytest.approx(SECONDS - 3, abs=0.01)


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU"])
def test_a_second_file_behind_the_first_is_found(kind: str, tmp_path: Path) -> None:
    data = written(tmp_path, kind, "PCM_16")
    assert read(data + data).joined_at == len(data)
    assert read(data).joined_at is None


def test_no_samples_and_a_chunk_that_ends_with_the_file_are_no_stream(tmp_path: Path) -> None:
    header = written(tmp_path, "WAV", "PCM_16")
    header = header[: header.index(b"data")] + b"data" + bytes(4)
    other = b"id3 " + struct.pack("<I", 4000) + np.random.default_rng(0).bytes(4000)
    assert read(header + other).followed
    assert read(header + other).says_zero
    assert not read(header + other[:-100]).followed
    assert not read(header + np.random.default_rng(0).bytes(4000)).followed


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12", b".snd\0\0", b"caff\0\1\0\0desc"]
)
def test_a_header_that_is_cut_tells_nothing(data: bytes) -> None:
    assert sample_data(io.BytesIO(data), len(data)) is None
