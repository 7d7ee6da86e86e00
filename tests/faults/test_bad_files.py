"""Broken, odd and lying files, with FFmpeg's verdict on each: every one ends as a record or as a typed reject."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.isolation import DecodingProcess, Features
from schemas.features import LogMelSpec, WaveformSpec

SPEC = LogMelSpec(waveform=WaveformSpec("full"))
PATIENCE_SECONDS = 30.0  # without progress: what is looked at here does not hang, and a busy machine may hold it up
BROKEN = {"truncated", "corrupt"}

# More can be decoded from these files than FFmpeg decoded: its errors were about a picture or came after the last sample,
# or libsndfile goes on where FFmpeg gave up.
WHOLE_ALL_THE_SAME = {
    "flac-test-files/faulty__01_-_wrong_max_blocksize.flac",  # its samples have the MD5 that its header names
    "flac-test-files/subset__59_-_AVIF_PICTURE.flac",
    "flac-test-files/uncommon__04_-_changing_bitdepth.flac",
    "minimp3/MEANDR90.mp3",
}
FURTHER_THAN_FFMPEG = {
    "flac-test-files/faulty__01_-_wrong_max_blocksize.flac": 4.25,
    "flac-test-files/uncommon__04_-_changing_bitdepth.flac": 11.23,
}

# FFmpeg only guessed the length of these files from the size of their first frame; they are whole.
GUESSED = {
    *(f"minimp3/M2L3_bitrate_{rate}_all.mp3" for rate in (16, 22, 24)),
    *(f"minimp3/l3-he_{rate}khz.mp3" for rate in (32, 44, 48)),
    "minimp3/l3-nonstandard-he_44_48khz.mp3",
}
# The expected flags of files that decode, but not to ordinary sound.
FLAGS = {
    "own/antiphase_stereo.wav": {"silent"},
    "own/digital_silence.flac": {"silent"},
    "own/nan_inf_float.wav": {"non_finite"},
    "own/huge_float.wav": {"clipped"},
    "own/bitflips_400.mp3": {"clipped", "corrupt", "truncated"},
    "own/truncated_40pct.mp3": {"truncated"},
    "own/eight_channels.wav": set(),
    "own/rate_192000.flac": set(),
    "own/rate_8000.mp3": {"clipped"},
    "own/really_flac_named.mp3": set(),
    "own/lying_header_length.wav": set(),
    "own/header_length_zero.wav": set(),
    "own/dc_only.wav": set(),
    "own/short_100ms.wav": set(),
}
CAUSES = {
    "own/no_samples.wav": Cause.EMPTY,
    "own/video_only.mp4": Cause.NO_AUDIO,
    "own/zero_byte.mp3": Cause.UNSUPPORTED_FORMAT,
    "own/html_error_page.mp3": Cause.UNSUPPORTED_FORMAT,
    "own/text_renamed.mp3": Cause.UNSUPPORTED_FORMAT,
    "own/truncated_moov_lost.m4a": Cause.UNSUPPORTED_FORMAT,
}


@pytest.fixture(scope="module")
def bad(material: Path) -> Path:
    return material / "audio" / "bad"


@pytest.fixture(scope="module")
def verdicts(bad: Path) -> list[dict[str, str]]:
    with open(bad / "expected.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def decoding() -> Iterator[DecodingProcess]:
    with DecodingProcess(SPEC, stall_seconds=PATIENCE_SECONDS) as process:
        yield process


def outcome(decoding: DecodingProcess, path: Path) -> Features | TrackRejected:
    try:
        return decoding.features(str(path))
    except TrackRejected as rejected:
        return rejected


@pytest.mark.slow
def test_every_bad_file_ends_as_its_verdict_says(
    bad: Path, verdicts: list[dict[str, str]], decoding: DecodingProcess
) -> None:
    assert len(verdicts) == 154
    for row in verdicts:
        name, found = row["path"], outcome(decoding, bad / row["path"])
        if row["decodable"] == "no":
            assert isinstance(found, TrackRejected), name
            assert found.message, name
            assert str(bad) not in found.message, name
            assert CAUSES.get(name, found.cause) is found.cause, name
            continue
        assert isinstance(found, Features), (name, found)
        seconds = FURTHER_THAN_FFMPEG.get(name, float(row["decoded_seconds"]))
        assert found.facts["source_seconds"] == pytest.approx(seconds, abs=0.06), name
        assert np.isfinite(found.logmel.array()).all(), name
        flags = set(found.facts["flags"])
        if row["decodable"] == "partial" and name not in WHOLE_ALL_THE_SAME | GUESSED:
            assert flags & BROKEN, name
        if "corrupt" in flags:
            assert found.facts["message"], name
        assert FLAGS.get(name, flags) == flags, name


@pytest.mark.slow
def test_a_bad_file_ends_the_same_way_every_time(
    bad: Path, verdicts: list[dict[str, str]], decoding: DecodingProcess
) -> None:
    def told(path: Path) -> object:
        found = outcome(decoding, path)
        if isinstance(found, TrackRejected):
            return found.cause, found.message
        return found.facts, found.waveform.array().tobytes()

    for row in verdicts:
        assert told(bad / row["path"]) == told(bad / row["path"]), row["path"]


@pytest.mark.slow
def test_strict_rejects_what_is_flagged_as_broken_and_nothing_else(
    bad: Path, verdicts: list[dict[str, str]], decoding: DecodingProcess
) -> None:
    with DecodingProcess(SPEC, strict=True, stall_seconds=PATIENCE_SECONDS) as strictly:
        for row in verdicts:
            by_default, strict = (outcome(process, bad / row["path"]) for process in (decoding, strictly))
            if isinstance(by_default, Features) and set(by_default.facts["flags"]) & BROKEN:
                assert isinstance(strict, TrackRejected), row["path"]
                assert strict.cause in (Cause.TRUNCATED, Cause.CORRUPT), row["path"]
            else:
                assert type(strict) is type(by_default), row["path"]
