"""A file joined from several is split where each begins; a file that only looks like one is left whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.joined_files import is_chained, joined_parts
from pipeline.audio.recognition import recognize

NOISE = np.random.default_rng(0).normal(scale=0.1, size=(2 * 44_100, 2))
KINDS = {"ogg": "ogg", "opus": "ogg", "flac": "flac", "mp3": "mpeg", "wav": "chunks", "aiff": "chunks", "au": "chunks"}
ID3 = b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128)


def encoded(folder: Path, ending: str, seconds: float) -> bytes:
    rate = 48_000 if ending == "opus" else 44_100
    path = folder / f"one.{ending}"
    kind = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
    soundfile.write(path, NOISE[: round(seconds * 44_100)], rate, **kind)
    return path.read_bytes()


def parts(path: Path) -> list[tuple[int, int]]:
    found = recognize(AudioFile(str(path)))
    return [(part.first, part.first + part.size) for part in joined_parts(found.file, found.kind)]


@pytest.mark.parametrize("ending", KINDS)
def test_each_part_of_a_joined_file_is_found(ending: str, tmp_path: Path) -> None:
    one, two, three = (encoded(tmp_path, ending, seconds) for seconds in (0.5, 2.0, 0.2))
    (tmp_path / "joined").write_bytes(one + two + three)
    assert recognize(AudioFile(str(tmp_path / "joined"))).kind == KINDS[ending]
    ends = [len(one), len(one + two), len(one + two + three)]
    assert parts(tmp_path / "joined") == list(zip([0, *ends[:-1]], ends, strict=True))
    (tmp_path / "single").write_bytes(two)
    assert parts(tmp_path / "single") == [(0, len(two))]


def test_a_tag_in_the_middle_belongs_to_the_mp3_behind_it(tmp_path: Path) -> None:
    one = encoded(tmp_path, "mp3", 1.0)
    (tmp_path / "joined.mp3").write_bytes(ID3 + one + ID3 + one)
    start = len(ID3)
    assert parts(tmp_path / "joined.mp3") == [(start, start + len(one)), (start + len(one), 2 * (start + len(one)))]


def test_a_chained_ogg_is_told_from_one_link(tmp_path: Path) -> None:
    link = encoded(tmp_path, "ogg", 0.5)
    for count, chained in ((1, False), (2, True), (3, True)):
        (tmp_path / "a.ogg").write_bytes(link * count)
        with AudioFile(str(tmp_path / "a.ogg")).open() as raw:
            assert is_chained(raw) is chained
