"""All audio is kept in files that are several files in a row, and in files whose headers claim too little."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.odd_files.conftest import Decode, Outcome, WriteSound
from tests.pipeline.audio.odd_files.links import check_right_or_flagged, lateness_of
from tests.pipeline.audio.odd_files.tags import id3v2, without_id3v2
from tests.pipeline.audio.signals import bursts
from tests.pipeline.audio.stored_reference import STORED_RATE, stored

FIRST, SECOND = 4.0, 1.5  # lengths of the links in seconds
SLACK = 0.12  # seconds by which a link may be late: the padding that a coder adds to the link before
LIKENESS = 0.8  # least similarity of a link to its stored samples if the lateness is no whole number of samples


def sounds(rate: int = 44_100) -> list[npt.NDArray[np.float32]]:
    """Two links that are easily told apart."""
    return [bursts(FIRST, rate, 2), bursts(SECOND, rate, 2, tone=0.05, noise=0.12)[::-1]]


def joined(tmp_path: Path, links: list[Path]) -> Path:
    path = tmp_path / f"joined{links[0].suffix}"
    path.write_bytes(b"".join(link.read_bytes() for link in links))
    return path


def check_both_links_are_kept(found: Outcome, references: list[npt.NDArray[np.float64]]) -> None:
    assert (found.flags, found.message) == ((), None)
    assert found.seconds == pytest.approx(FIRST + SECOND, abs=SLACK)
    expected_begin = 0
    for reference in references:
        _, likeness = lateness_of(reference, found.waveform, expected_begin, round(SLACK * STORED_RATE))
        assert likeness > LIKENESS
        expected_begin += len(reference)


@pytest.mark.parametrize(
    ("ending", "options", "rate"),
    [
        ("ogg", "-c:a libvorbis -q:a 3", 44_100),
        ("opus", "-c:a libopus -b:a 64k", 48_000),
        ("mp3", "-c:a libmp3lame -b:a 128k", 44_100),
        ("mp3", "-c:a libmp3lame -q:a 4", 44_100),
        ("aac", "-c:a aac", 44_100),
        ("oga", "-c:a flac -f ogg", 44_100),
    ],
)
def test_both_of_two_joined_files_are_kept(
    ending: str, options: str, rate: int, write_sound: WriteSound, tmp_path: Path, decode: Decode, ffmpeg: str
) -> None:
    links = [
        write_sound(f"{number}.{ending}", options, rate=rate, sound=sound) for number, sound in enumerate(sounds(rate))
    ]
    assert links[1].stat().st_size < 32 << 10 or ending == "oga"  # a small second link is easy to miss
    references = [stored(ffmpeg_program.decode(ffmpeg, link, 2), rate) for link in links]
    check_both_links_are_kept(decode(joined(tmp_path, links)), references)


@pytest.mark.parametrize("qualities", [(0, 6), (6, 0)])
def test_links_of_vorbis_with_other_set_ups_are_right_or_flagged(
    qualities: tuple[int, int], write_sound: WriteSound, tmp_path: Path, decode: Decode, ffmpeg: str
) -> None:
    links = [
        write_sound(f"{number}.ogg", f"-c:a libvorbis -q:a {quality}", sound=sound)
        for number, (quality, sound) in enumerate(zip(qualities, sounds(), strict=True))
    ]
    expected = stored(np.concatenate([ffmpeg_program.decode(ffmpeg, link, 2) for link in links]), 44_100)
    found = decode(joined(tmp_path, links))
    check_right_or_flagged(found.waveform, found.flags, expected)


def quiet_intro() -> npt.NDArray[np.float32]:
    """Silence, then noise: a length guessed from the bit rate of the first frames is wrong."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (44_100 * 4, 2))
    return np.concatenate([np.zeros((44_100 * 4, 2)), noise]).astype(np.float32)


@pytest.mark.parametrize("intro", [True, False])
@pytest.mark.parametrize("tag_bytes", [0, 200_000])
def test_a_vbr_mp3_without_a_xing_header_is_kept_whole(
    intro: bool, tag_bytes: int, write_sound: WriteSound, decode: Decode, ffmpeg: str
) -> None:
    sound = quiet_intro() if intro else quiet_intro()[::-1]
    path = write_sound(
        "a.mp3", "-c:a libmp3lame -q:a 2 -write_xing 0 -id3v2_version 0", sound=np.ascontiguousarray(sound)
    )
    expected = stored(ffmpeg_program.decode(ffmpeg, path, 2), 44_100)
    if tag_bytes:
        path.write_bytes(id3v2(tag_bytes) + path.read_bytes())
    found = decode(path)
    assert (found.flags, found.message) == ((), None)
    assert len(found.waveform) == len(expected)
    np.testing.assert_allclose(found.waveform, expected, rtol=0, atol=1)


def test_an_mp3_whose_header_names_half_its_frames_is_kept_whole(write_sound: WriteSound, decode: Decode) -> None:
    path = write_sound("a.mp3", "-c:a libmp3lame -b:a 64k", seconds=6.0)
    data = bytearray(without_id3v2(path.read_bytes()))
    at = data.find(b"Info") + 8
    (frames,) = struct.unpack_from(">I", data, at)
    struct.pack_into(">I", data, at, frames // 2)
    path.write_bytes(data)
    found = decode(path)
    assert found.seconds == pytest.approx(6.0, abs=SLACK)
    assert found.flags == ()
