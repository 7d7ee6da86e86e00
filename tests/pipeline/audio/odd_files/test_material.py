"""The odd files beside this checkout, each with its expected result."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.odd_files.conftest import Decode
from tests.pipeline.audio.odd_files.links import check_right_or_flagged, links_of
from tests.pipeline.audio.odd_files.tags import without_id3v2
from tests.pipeline.audio.stored_reference import STORED_RATE, stored

# Name -> stored seconds, and flags.
KEPT = {
    "ch-vorbis-small.ogg": (8.0, ()),
    "ch-opus-small.opus": (8.0, ()),
    "ch-mp3.mp3": (8.0, ()),
    "vbr-noxing-short.mp3": (9.09, ()),
    "whole.gsm.wav": (20.0, ()),
    "adts-silent-intro.aac": (20.0, ()),
    "xing-ape.mp3": (20.0, ()),
    "cut60.wav": (12.0, ("truncated",)),
    "c8-aac.m4a": (1.0, ()),
}
OTHERS = {"chain-q4-q6.ogg", "tag200.wma", "first-undecodable.mka"}


@pytest.fixture(scope="module")
def odd(material: Path) -> Path:
    return material / "audio" / "odd"


def test_every_odd_file_is_tested_here(odd: Path) -> None:
    with open(odd / "expected.csv", newline="", encoding="utf-8") as file:
        assert {row["path"] for row in csv.DictReader(file)} == {*KEPT, *OTHERS}


@pytest.mark.parametrize("name", KEPT)
def test_an_odd_file_is_kept_with_its_length_and_flags(name: str, odd: Path, decode: Decode) -> None:
    found = decode(odd / name)
    seconds, flags = KEPT[name]
    assert found.cause is None, found.message
    assert (found.flags, found.message) == (flags, None)
    assert found.seconds == pytest.approx(seconds, abs=0.06)
    assert len(found.waveform) == pytest.approx(found.seconds * STORED_RATE, abs=1)


def test_a_chain_of_vorbis_with_other_set_ups_is_right_or_flagged(
    odd: Path, decode: Decode, ffmpeg: str, tmp_path: Path
) -> None:
    found = decode(odd / "chain-q4-q6.ogg")
    links = []
    for number, data in enumerate(links_of((odd / "chain-q4-q6.ogg").read_bytes())):
        (tmp_path / f"{number}.ogg").write_bytes(data)
        links.append(ffmpeg_program.decode(ffmpeg, tmp_path / f"{number}.ogg", 2))
    expected = stored(np.concatenate(links), 44_100)
    assert len(expected) == 40 * STORED_RATE
    check_right_or_flagged(found.waveform, found.flags, expected)


def test_a_wma_behind_a_tag_is_the_wma(odd: Path, decode: Decode, tmp_path: Path) -> None:
    plain = tmp_path / "a.wma"
    plain.write_bytes(without_id3v2((odd / "tag200.wma").read_bytes()))
    np.testing.assert_array_equal(decode(odd / "tag200.wma").waveform, decode(plain).waveform)


def test_a_stream_without_a_decoder_is_passed_over_and_reported(odd: Path, decode: Decode) -> None:
    found = decode(odd / "first-undecodable.mka")
    assert found.samples is not None
    assert found.flags == ("several_streams",)
    assert found.message == "audio stream 2 of 2 was decoded, the first that can be decoded"
