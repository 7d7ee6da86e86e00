"""Damage that a decoder conceals is found by the file's own checksums, and it leaves no noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.ogg_pages import OggPage, pages
from tests.pipeline.audio.odd_files.conftest import Decode
from tests.pipeline.audio.signals import bursts

RATE = 48_000
SECONDS = 6.0


KINDS = {"ogg": {}, "opus": {"format": "OGG", "subtype": "OPUS"}}


def encoded(ending: str, folder: Path) -> tuple[Path, bytes]:
    """A file of a kind, and its bytes."""
    path = folder / f"a.{ending}"
    soundfile.write(path, bursts(SECONDS, RATE, 2), RATE, **KINDS[ending])
    return path, path.read_bytes()


@pytest.mark.parametrize("ending", KINDS)
def test_one_flipped_bit_of_a_page_is_reported(ending: str, decode: Decode, tmp_path: Path) -> None:
    path, whole = encoded(ending, tmp_path)
    assert decode(path).flags == ()
    data = bytearray(whole)
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    found = decode(path)
    assert len(found.waveform) > 0
    assert found.flags == ("corrupt",)
    assert found.message == "a page of the Ogg file is damaged"


@pytest.mark.parametrize("ending", KINDS)
def test_a_missing_page_is_reported(ending: str, decode: Decode, tmp_path: Path) -> None:
    path, data = encoded(ending, tmp_path)
    with open(path, "rb") as raw:
        places = [page.offset for page in pages(raw) if isinstance(page, OggPage)]
    assert len(places) > 5
    path.write_bytes(data[: places[4]] + data[places[5] :])
    found = decode(path)
    assert found.flags == ("corrupt",)
    assert found.message == "pages 4 to 4 of the Ogg file are missing"


@pytest.mark.parametrize("ending", KINDS)
def test_a_file_that_ends_within_a_page_is_truncated(ending: str, decode: Decode, tmp_path: Path) -> None:
    path, data = encoded(ending, tmp_path)
    path.write_bytes(data[: len(data) * 6 // 10])
    assert decode(path).flags == ("truncated",)


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.77])
def test_what_follows_a_link_that_was_cut_is_kept(ending: str, share: float, decode: Decode, tmp_path: Path) -> None:
    path, data = encoded(ending, tmp_path)
    path.write_bytes(data[: round(len(data) * share)])
    alone = decode(path)
    path.write_bytes(data[: round(len(data) * share)] + data)
    found = decode(path)
    assert found.flags == ("corrupt",)
    assert found.seconds == pytest.approx(alone.seconds + SECONDS, abs=0.1)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_damaged_flac_is_reported_and_leaves_no_noise(place: float, decode: Decode, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, bursts(SECONDS, 16_000, 1), 16_000)  # stored unchanged, sample for sample
    data = bytearray(path.read_bytes())
    whole = decode(path).waveform.astype(int)
    data[round(len(data) * place)] ^= 4
    path.write_bytes(data)
    found = decode(path)
    assert "corrupt" in found.flags
    assert found.message
    # The damaged frame is left out, and nothing else changes.
    samples = found.waveform.astype(int)
    lost = len(whole) - len(samples)
    assert 0 < lost <= 2 * 4096
    gap = int(np.flatnonzero(samples != whole[: len(samples)])[0])
    np.testing.assert_array_equal(samples[gap:], whole[gap + lost :])
