from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from schemas.console.errors import DatasetError
from training.tensorboard.board import LOSS_STEPS, TensorBoardFolder

STEPS = 2 * LOSS_STEPS  # steps per epoch
VOCABULARY = ("rock", "a/b <i>", "drums")
TARGETS = np.array([[1, 0, 0], [0, 1, np.nan], [1, 1, 0], [0, 0, 0]], np.float32)


def _points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Series -> steps and values, as TensorBoard itself reads them; a curve's value is its sum."""
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return {
        series: [(event.step, float(make_ndarray(event.tensor_proto).sum())) for event in accumulator.Tensors(series)]
        for series in accumulator.Tags()["tensors"]
    }


def _train(board: TensorBoardFolder, epochs: range, *, checkpoint_steps: int = STEPS) -> None:
    for epoch in epochs:
        for step in range(epoch * STEPS, (epoch + 1) * STEPS):
            board.add_loss(step + 1, 1 / (step + 1))
            if (step + 1) % checkpoint_steps == 0:
                board.flush(step + 1)
        scores = np.full(TARGETS.shape, 0.1 * epoch + 0.05, np.float32)
        board.add_curves(epoch + 1, VOCABULARY, TARGETS, scores, 0.5)
        board.add_line({"epoch": epoch + 1, "step": step + 1, "loss": 0.5, "validation_loss": float("nan")})
        board.flush(step + 1)


def test_tensorboard_reads_every_point_at_its_place(tmp_path: Path) -> None:
    board = TensorBoardFolder(str(tmp_path / "tensorboard"))
    board.begin(0)
    _train(board, range(3))
    points = _points(tmp_path / "tensorboard")
    assert points["step/loss"] == [(step, pytest.approx(1 / step)) for step in range(10, 61, 10)]
    assert points["epoch/loss"] == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert set(points) == {"step/loss", "epoch/loss", "validation/rock", "validation/a/b <i>"}  # drums has no positive
    assert [step for step, _ in points["validation/rock"]] == [1, 2, 3]


@pytest.mark.parametrize("checkpoint", [0, 1, 2])
def test_a_run_that_goes_on_from_any_checkpoint_shows_no_point_twice(tmp_path: Path, checkpoint: int) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    _train(TensorBoardFolder(str(undisturbed)), range(4))
    first = TensorBoardFolder(str(killed))
    _train(first, range(3), checkpoint_steps=LOSS_STEPS)
    first.add_loss(70, 9.0)  # from the epoch in which it is killed
    again = TensorBoardFolder(str(killed))
    again.begin(checkpoint * STEPS)
    _train(again, range(checkpoint, 4))
    assert _points(killed) == _points(undisturbed)


def test_a_second_flush_at_a_step_replaces_points_and_loses_none(tmp_path: Path) -> None:
    board = TensorBoardFolder(str(tmp_path))
    board.add_loss(10, 1.0)
    board.flush(10)
    board.add_line({"epoch": 1, "validation_loss": 3.0})
    board.flush(10)
    board.add_line({"epoch": 1, "validation_loss": 2.0})
    board.flush(10)
    assert _points(tmp_path) == {"step/loss": [(10, 1.0)], "epoch/validation_loss": [(1, 2.0)]}


def test_files_of_others_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1700000000.host.17.0").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    board = TensorBoardFolder(str(tmp_path))
    board.begin(0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.out.tfevents.1700000000.host.17.0", "notes.txt"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    board = TensorBoardFolder(str(tmp_path))
    board.add_loss(10, 1.0)
    board.flush(10)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    board.add_loss(10, 1.0)
    with pytest.raises(DatasetError, match=file.name):
        board.flush(10)
