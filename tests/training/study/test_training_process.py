from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.console.errors import TagscaleError, UserError
from schemas.storage.files import write_atomic
from training.config import TrainConfig
from training.study.plan import StudyRun
from training.study.training_process import train_apart

ROOT = Path(__file__).parents[3]


def _until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def _trainings(parent: int) -> list[int]:
    """The processes that a process started for its trainings."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _start_study(config: TrainConfig, folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a study that trains for a long time; returns it and the process of its first training, once that has begun."""

    write_atomic(str(folder / "config.json"), json.dumps({**config.to_dict(), "epochs": 1000}).encode())
    command = [sys.executable, "training/run.py", "study", "--config", str(folder / "config.json"), "--shares", "1"]
    command += ["--frontends", "spectrogram", "--seeds", "1", "--out", str(folder / "study")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert _until(lambda: any((folder / "study" / "runs").glob("*/config.json")), 120)
    (training,) = _trainings(process.pid)
    return process, training


@pytest.mark.slow
def test_an_error_of_the_training_is_raised_as_it_was(small_config: TrainConfig, tmp_path: Path) -> None:
    run = StudyRun("one", dataclasses.replace(small_config, label_set="smal"))
    with pytest.raises(UserError, match="label set 'smal': not in .*there are small"):
        train_apart(run, str(tmp_path / "run"), None)


@pytest.mark.slow
def test_an_error_that_nobody_foresaw_comes_in_one_line(
    small_config: TrainConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TagscaleError, match="^unexpected [A-Za-z]+Error: .*; set TAGSCALE_TRACEBACK=1 to see where$"):
        train_apart(StudyRun("one", small_config), str(tmp_path / "run"), stage=5)  # type: ignore[arg-type]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_training_that_is_killed_ends_the_study_with_one_line(small_config: TrainConfig, tmp_path: Path) -> None:
    study, training = _start_study(small_config, tmp_path)
    os.kill(training, signal.SIGKILL)
    _, words = study.communicate(timeout=60)
    assert study.returncode == TagscaleError.exit_code
    assert words.splitlines()[-1].startswith("error: ")
    assert "its training was killed, perhaps because memory ran out" in words
    assert "Traceback" not in words


@pytest.mark.slow
def test_no_training_outlives_a_study_that_is_killed(small_config: TrainConfig, tmp_path: Path) -> None:
    study, training = _start_study(small_config, tmp_path)
    study.kill()
    study.wait()
    assert _until(lambda: not Path(f"/proc/{training}").exists(), 20)
