"""Damage in the middle of a file does not affect the samples before it, in blocks of any size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import OpenSource, open_ffmpeg, open_libsndfile
from pipeline.audio.tracks import read_waveform
from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.fidelity.conftest import EncodedSounds, SetBlockFrames
from tests.pipeline.audio.fidelity.encodings import ENCODINGS, Encoding
from tests.pipeline.audio.fidelity.engine_reading import FULL, chosen_engine, decode_with

DAMAGED_BYTES = (400, 4000)  # an mp3 decoder recovers after the shorter one, libmpg123 gives up within the longer one
SIZES = (1000, 1152, 4096, 65_521, 1 << 22)
# Name of an encoding -> samples of one coded frame; a decoder may lose one frame before the damage.
FRAMES = {
    "mp3-cbr-44100-2": 1152,
    "mp3-vbr-2": 1152,
    "mp3-by-libsndfile-variable-0.9": 1152,
    "mp3-cbr-22050-1": 576,
    "mp2-44100-2": 1152,
    "flac-16": 4608,
    "flac-by-libsndfile-pcm_24": 4096,
    "vorbis-3": 2048,
    "opus-64": 960,
    "aac-m4a": 1024,
    "aac-adts": 1024,
    "wavpack": 22_050,
}


@dataclasses.dataclass(frozen=True)
class DamagedFile:
    """A file with overwritten bytes in its middle.

    Attributes:
        path: path of the file.
        before: the samples that FFmpeg decodes alike with and without the damage, less one coded frame;
            [frames, channels].
        departs_by: known difference from the reference without damage.
    """

    path: Path
    before: npt.NDArray[np.float32]
    departs_by: float


@pytest.fixture(
    params=[(name, size) for name in FRAMES for size in DAMAGED_BYTES],
    ids=lambda case: f"{case[0]}-{case[1]}",
    scope="module",
)
def damaged(
    request: pytest.FixtureRequest, encoded: EncodedSounds, ffmpeg: str, tmp_path_factory: pytest.TempPathFactory
) -> DamagedFile:
    name, size = request.param
    encoding: Encoding = next(encoding for encoding in ENCODINGS if encoding.name == name)
    data = bytearray(encoded.path(encoding).read_bytes())
    middle = len(data) // 2
    data[middle : middle + size] = np.random.default_rng(0).bytes(size)
    path = tmp_path_factory.mktemp("damaged") / f"damaged.{encoding.ending}"
    path.write_bytes(data)
    whole = encoded.references[encoding.name]
    left = ffmpeg_program.decode(ffmpeg, path, encoding.channels, *encoding.decoder)
    length = min(len(whole), len(left))
    alike = int((whole[:length] != left[:length]).any(axis=1).argmax())
    assert 0.3 * len(whole) < alike < 0.7 * len(whole), "the damage does not lie in the middle of what is heard"
    return DamagedFile(path, whole[: alike - FRAMES[name]], encoding.departure.within)


def test_what_comes_before_damage_is_what_ffmpeg_gives(damaged: DamagedFile) -> None:
    found = decode_with(chosen_engine(damaged.path), damaged.path).samples
    assert len(found) > len(damaged.before)
    np.testing.assert_allclose(found[: len(damaged.before)], damaged.before, rtol=0, atol=damaged.departs_by)


@pytest.mark.parametrize("engine", [open_libsndfile, open_ffmpeg])
def test_an_engine_gives_the_same_around_damage_in_blocks_of_any_size(
    engine: OpenSource, damaged: DamagedFile, set_block_frames: SetBlockFrames
) -> None:
    found = {}
    for frames in SIZES:
        set_block_frames(frames)
        try:
            found[frames] = decode_with(engine, damaged.path)
        except TrackRejected as rejected:
            assert (rejected.cause, engine) == (Cause.UNSUPPORTED_FORMAT, open_libsndfile)
            return
    for frames in SIZES:
        np.testing.assert_array_equal(found[frames].samples, found[SIZES[0]].samples, err_msg=f"blocks of {frames}")
        assert found[frames].corrupt == found[SIZES[0]].corrupt
    assert len(found[SIZES[0]].samples) >= len(damaged.before)


def test_a_damaged_track_is_the_same_from_blocks_of_any_size(
    damaged: DamagedFile, set_block_frames: SetBlockFrames
) -> None:
    found = {}
    for frames in SIZES:
        set_block_frames(frames)
        found[frames] = read_waveform(str(damaged.path), FULL)
    for frames in SIZES:
        np.testing.assert_array_equal(found[frames].samples, found[SIZES[0]].samples, err_msg=f"blocks of {frames}")
        assert found[frames].track.facts() == found[SIZES[0]].track.facts()
