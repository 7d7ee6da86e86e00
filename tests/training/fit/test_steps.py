"""A run whose length and validations are counted in steps takes the very steps of one that counts epochs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.console.errors import TagscaleError
from training.config import TrainConfig
from training.fit.summary import train_report
from training.fit.train import train
from training.report.run_facts import read_facts
from training.runs.checkpoints import BEST_NAME
from training.tensorboard.events import points_of


def _weights(run: str, name: str) -> dict[str, np.ndarray]:
    (file,) = Path(run, "checkpoints", name).glob("*.npz")
    with np.load(file) as arrays:
        return dict(arrays)


def _assert_same_weights(run: str, other: str) -> None:
    first, second = _weights(run, "step-000000004"), _weights(other, "step-000000004")
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def _lines(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


def _gone(*_: object) -> None:
    raise TagscaleError("killed")


def test_a_run_that_ends_in_the_middle_of_an_epoch_is_validated_and_goes_on_with_more_steps(
    small_config: TrainConfig, small_run: str, tmp_path: Path
) -> None:
    run, config = str(tmp_path / "run"), dataclasses.replace(small_config, epochs=0, max_steps=3)
    summary = train(config, run)
    assert (summary.state.epoch, summary.state.epoch_step, summary.epochs) == (1, 1, 1.5)
    assert "3 steps, 1.50 epochs over 22 tracks in all, best at step " in str(train_report(summary))
    assert [(line["epoch"], line["step"]) for line in _lines(run)] == [(1, 2), (1.5, 3)]
    assert all("validation_loss" in line for line in _lines(run))
    assert Path(run, "checkpoints", "step-000000003", "state.json").exists()

    assert train(dataclasses.replace(config, max_steps=4), run).trained_steps == 1
    assert [(line["epoch"], line["step"]) for line in _lines(run)] == [(1, 2), (1.5, 3), (2, 4)]
    _assert_same_weights(run, small_run)
    clock = ("seconds", "examples_per_second", "input_wait", "validation_seconds")
    ends = [
        {name: line[name] for name in line if name not in clock} for line in (_lines(run)[-1], _lines(small_run)[-1])
    ]
    assert ends[0] == ends[1]  # the loss is the mean of the whole epoch


@pytest.mark.slow
def test_balanced_sampling_goes_on_in_the_middle_of_an_epoch_with_the_same_bits(
    small_config: TrainConfig, small_run: str, tmp_path: Path
) -> None:
    whole, stopped = str(tmp_path / "whole"), str(tmp_path / "stopped")
    config = dataclasses.replace(small_config, epochs=0, max_steps=4, sampling="balanced")
    train(config, whole)
    train(dataclasses.replace(config, max_steps=3), stopped)
    assert train(config, stopped).trained_steps == 1
    _assert_same_weights(stopped, whole)
    natural, balanced = _weights(small_run, "step-000000004"), _weights(whole, "step-000000004")
    assert any(not np.array_equal(natural[name], balanced[name]) for name in natural)


def test_validations_every_few_steps_change_no_step_even_if_one_is_cut_short(
    small_config: TrainConfig, small_run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(tmp_path / "run")
    config = dataclasses.replace(
        small_config, epochs=0, max_steps=4, validate_every_steps=3, stop_steps=50, checkpoint_minutes=0.0
    )
    with monkeypatch.context() as patched:
        patched.setattr("training.fit.validation.Validation.run", _gone)
        with pytest.raises(TagscaleError, match="killed"):
            train(config, run)
    assert not Path(run, "metrics.jsonl").exists()
    state = train(config, run).state
    _assert_same_weights(run, small_run)
    lines, of_epochs = _lines(run), _lines(small_run)
    assert [(line["epoch"], line["step"]) for line in lines] == [(1.5, 3), (2, 4)]
    total = sum(2 * line["loss"] for line in of_epochs)
    assert 3 * lines[0]["loss"] + lines[1]["loss"] == pytest.approx(total, abs=1e-6)
    assert lines[1]["validation_loss"] == of_epochs[1]["validation_loss"]

    best = min(lines, key=lambda line: line["validation_loss"])
    assert (state.best_epoch, state.best_step) == (best["epoch"], best["step"])
    stored = json.loads(Path(run, "checkpoints", BEST_NAME, "state.json").read_text())["state"]
    assert stored["best_step"] == best["step"]
    _assert_shown_by_step(run, best["step"])


def _assert_shown_by_step(run: str, best: int) -> None:
    page = Path(run, "report.html").read_text()
    assert f"the dashed line marks the best step, {best}." in page
    assert f"{best} of 4" in page
    assert read_facts(run).best_epoch == next(line for line in _lines(run) if line["step"] == best)
    points = [
        (point.summary.value[0].tag, point.step)
        for file in Path(run, "tensorboard").glob("events.*")
        for point in points_of(file.read_bytes(), where=str(file))
    ]
    assert sorted(step for tag, step in points if tag == "every/validation_loss") == [3, 4]
    assert {step for tag, step in points if tag == "validation/bass"} == {3, 4}
