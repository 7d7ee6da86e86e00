"""What headers of sample files claim is read as libsndfile and FFmpeg write it, and held against the file's size."""

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


def test_samples_behind_a_header_that_claims_too_little_are_told(tmp_path: Path) -> None:
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
