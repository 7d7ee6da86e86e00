"""Patches of many tracks share batches, and a track on which the model fails costs that track alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.tagging.inference import Inference, batch_sizes
from pipeline.tagging.model_files import ServedModel, read_model
from pipeline.tagging.track_scores import TrackScores
from tests.faults.plain_model import CRASHES, FILLS_MEMORY, HANGS, IS_NAN, scored

ROOT = Path(__file__).parents[3]
BATCH = 8


@pytest.fixture(scope="module")
def served(model: Path) -> ServedModel:
    """The model with patches of two frames."""
    found = read_model(str(model))
    return dataclasses.replace(found, entry=dataclasses.replace(found.entry, patch=2))


@pytest.fixture
def inference(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inference]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    with Inference(served, BATCH, module="plain_model", stall_seconds=3.0) as running:
        yield running


def patches_of(track: int, count: int) -> np.ndarray:
    return np.random.default_rng(track).normal(size=(count, 2, 96)).astype(np.float32)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 16, 23])
def test_batches_are_full_or_powers_of_two(rows: int) -> None:
    sizes = batch_sizes(rows, BATCH)
    assert sum(sizes) == rows
    assert all(size == BATCH or (size & (size - 1) == 0 and size < BATCH) for size in sizes)
    assert sorted(sizes, reverse=True) == list(sizes)


def test_the_average_of_each_track_is_that_of_its_own_patches(inference: Inference) -> None:
    scores = TrackScores(inference)
    counts = (1, 5, 3, 13, 2)
    for track, count in enumerate(counts):
        for patch in patches_of(track, count):
            assert scores.add(track, patch)
    scores.finish()
    for track, count in enumerate(counts):
        expected = scored(patches_of(track, count), 12).mean(axis=0)
        np.testing.assert_allclose(scores.of(track), expected, rtol=1e-6)


def test_a_short_patch_is_padded_whatever_lay_there_before(inference: Inference) -> None:
    scores = TrackScores(inference)
    for patch in patches_of(0, BATCH):
        scores.add(0, patch)
    scores.add(1, patches_of(1, 1)[0][:1])
    scores.finish()
    padded = np.concatenate([patches_of(1, 1)[0][:1], np.zeros((1, 96), np.float32)])
    np.testing.assert_allclose(scores.of(1), scored(padded[None], 12)[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("mark", "cause", "words"),
    [
        (CRASHES, Cause.INFERENCE_CRASH, "the model's process ended by signal SIGSEGV"),
        (HANGS, Cause.INFERENCE_TIMEOUT, "the model gave no scores for 3 s"),
        (FILLS_MEMORY, Cause.INFERENCE_MEMORY, "the model asked for more memory than it may use"),
        (IS_NAN, Cause.NOT_FINITE, "the model's scores are not numbers"),
    ],
)
def test_a_track_on_which_the_model_fails_is_rejected_and_the_others_keep_their_bits(
    inference: Inference, mark: float, cause: Cause, words: str
) -> None:
    def add_all(scores: TrackScores, *, marked: bool) -> None:
        for track in range(4):
            for number, patch in enumerate(patches_of(track, 5)):
                if marked and (track, number) == (1, 2):
                    patch[0, 0] = mark
                scores.add(track, patch)
        scores.finish()

    bad, good = TrackScores(inference), TrackScores(inference)
    add_all(bad, marked=True)
    add_all(good, marked=False)
    with pytest.raises(TrackRejected) as rejected:
        bad.of(1)
    assert (rejected.value.cause, rejected.value.message) == (cause, words)
    for track in (0, 2, 3):
        np.testing.assert_array_equal(bad.of(track), good.of(track))


def test_a_rejected_track_needs_no_more_patches(inference: Inference) -> None:
    scores = TrackScores(inference)
    for number in range(BATCH):
        patch = patches_of(0, 1)[0]
        patch[0, 0] = CRASHES if number == 3 else 0
        scores.add(0, patch)
    assert not scores.add(0, patches_of(0, 1)[0])
    assert scores.add(1, patches_of(1, 1)[0])
