"""Commands of the training stage that are stopped by ^C say so in one line, and are finished by the same command."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from schemas.console.errors import EXIT_INTERRUPTED
from schemas.console.stopping import STOPPED_WORDS
from tests.pseudo_terminal import INTERRUPT, PseudoTerminal, lines_of
from tests.training.conftest import EAGERLY, SAMPLE_RATE, Served
from training.evaluation.evaluate import evaluate
from training.serving.export import export
from training.serving.tag import tag_files

ROOT = Path(__file__).parents[2]
PAUSING_CODE = ROOT / "tests" / "faults" / "pausing"
IMPORT_SECONDS = 1.5  # after this time from its start, a command is importing TensorFlow on any machine
# The least number of files that each command writes; for `export`, of folders.
WRITES = {"evaluate": 4, "export": 1}

Contents = Callable[..., dict[str, str]]
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(small_run: str, tmp_path: Path) -> Path:
    """A folder with a run that is not evaluated, and one song."""
    shutil.copytree(small_run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))
    sound = np.random.default_rng(0).normal(scale=0.1, size=4 * SAMPLE_RATE)
    soundfile.write(tmp_path / "song.wav", sound, SAMPLE_RATE)
    return tmp_path


def started(
    command: str, folder: Path, model: Path, program: tuple[str, ...] = (), **environment: str
) -> PseudoTerminal:
    options = {
        "train": ["--config", f"{folder}/run/config.json", "--out", f"{folder}/new run"],
        "evaluate": ["--run", f"{folder}/run"],
        "export": ["--run", f"{folder}/run", "--out", f"{folder}/model"],
        "tag": ["--model", str(model), *[f"{folder}/song.wav"] * 200],
    }
    words = (sys.executable, *program, "training/run.py", command, *options[command])
    return PseudoTerminal(words, {**os.environ, **environment}, ROOT)


def check_stops(terminal: PseudoTerminal, *before: str) -> None:
    terminal.press(INTERRUPT)
    code = terminal.exit_code()
    terminal.wait_until_none_is_left()
    assert code == EXIT_INTERRUPTED, terminal.shown
    lines = lines_of(terminal.shown)
    assert lines[-1] == STOPPED_WORDS
    assert all(line.startswith(before) for line in lines[:-1]), terminal.shown


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "tag"])
def test_a_stop_while_tensorflow_is_imported_is_one_line(command: str, folder: Path, spectrogram: Served) -> None:
    with started(command, folder, spectrogram.model) as terminal:
        terminal.wait_until_it_handles(signal.SIGHUP)
        terminal.wait_for(random.Random(command).uniform(0, IMPORT_SECONDS))
        check_stops(terminal)


@pytest.mark.parametrize("command", WRITES)
def test_a_stop_between_files_is_one_line_and_the_same_command_writes_them_all(
    command: str, folder: Path, small_run: str, spectrogram: Served, tmp_path: Path, contents: Contents
) -> None:
    moment = random.Random(command).randint(1, WRITES[command])
    events = folder / "events"
    environment = {"PYTHONPATH": str(PAUSING_CODE), "TAGSCALE_TEST_EVENTS": str(events)}
    plain = ("-c", EAGERLY)  # like the evaluation with which it is compared
    with started(command, folder, spectrogram.model, plain, TAGSCALE_TEST_PAUSE=str(moment), **environment) as terminal:
        terminal.wait_until(lambda: events.exists() and events.stat().st_size >= moment)
        check_stops(terminal)
    song = f"{folder}/song.wav"
    if command == "export":
        export(f"{folder}/run", f"{folder}/model")
        assert contents(folder / "model").keys() == contents(spectrogram.model).keys()
        (whole,), (finished,) = (tag_files(str(one), [song]) for one in (spectrogram.model, folder / "model"))
        assert (finished.scores, finished.problem) == (whole.scores, None)
    else:
        undisturbed = shutil.copytree(small_run, tmp_path / "undisturbed", ignore=shutil.ignore_patterns("evaluation"))
        evaluate(f"{folder}/run")
        evaluate(str(undisturbed))
        assert contents(folder / "run" / "evaluation") == contents(undisturbed / "evaluation")


def test_a_stop_of_tag_leaves_the_lines_before_it_whole(folder: Path, spectrogram: Served) -> None:
    with started("tag", folder, spectrogram.model) as terminal:
        terminal.wait_until(lambda: "song.wav (4.0 s): " in terminal.shown)
        terminal.wait_for(random.Random("tag").uniform(0, 0.3))
        check_stops(terminal, f"{folder}/song.wav (4.0 s): ")
