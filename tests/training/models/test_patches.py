from __future__ import annotations

import numpy as np
import pytest

from schemas.console.errors import UserError
from schemas.patches import cut, patch_starts
from training.models.patches import patch_length, patches_of, start_at


def test_fifteen_seconds_are_938_frames_or_240000_samples() -> None:
    assert patch_length(15.0, "spectrogram") == 938
    assert patch_length(15.0, "waveform") == 240_000


@pytest.mark.parametrize(
    ("length", "starts"),
    [(1, [0]), (10, [0]), (11, [0, 1]), (20, [0, 10]), (25, [0, 10, 15]), (30, [0, 10, 20])],
)
def test_patches_cover_a_track_once_and_a_tail_ends_with_it(length: int, starts: list[int]) -> None:
    assert patch_starts(length, 10).tolist() == starts


def test_every_frame_of_any_track_is_in_a_patch() -> None:
    for length in range(1, 60):
        covered = np.zeros(max(length, 10), bool)
        for start in patch_starts(length, 10):
            assert start == 0 or start + 10 <= length
            covered[start : start + 10] = True
        assert covered[:length].all()


def test_a_short_track_is_padded_with_zeros() -> None:
    patch = cut(np.ones((3, 2), np.float16), 0, 5)
    assert patch.tolist() == [[1, 1], [1, 1], [1, 1], [0, 0], [0, 0]]


def test_a_crop_reaches_both_ends_of_a_track_evenly() -> None:
    starts = [start_at(13, 10, crop) for crop in np.arange(0, 1, 0.125)]
    assert starts == [0, 0, 1, 1, 2, 2, 3, 3]
    assert start_at(5, 10, 0.99) == 0


def test_a_patch_of_no_length_is_refused() -> None:
    with pytest.raises(UserError, match="--patch-seconds"):
        patch_length(0.0, "waveform")


@pytest.mark.parametrize("sizes", [[1], [3], [7], [10], [25], [2, 11, 1, 30]])
@pytest.mark.parametrize("row", [(), (2,)])
def test_patches_of_a_signal_that_comes_in_blocks_are_those_of_the_whole(
    sizes: list[int], row: tuple[int, ...]
) -> None:
    for length in range(1, 45):
        signal = np.random.default_rng(length).normal(size=(length, *row)).astype(np.float32)
        ends = np.cumsum(np.resize(sizes, length))
        expected = [cut(signal, int(start), 10) for start in patch_starts(length, 10)]
        found = list(patches_of(np.split(signal, ends[ends < length]), 10))
        np.testing.assert_array_equal(found, expected)
