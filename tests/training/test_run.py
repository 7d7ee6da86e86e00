"""The exit codes and messages of the training stage's command line."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from schemas.console.shown_commands import training_command
from tests.training.conftest import TAGS, SmallDataset
from tests.warm_commands import run_warm
from training.config import TrainConfig
from training.run import cli
from training.runs.checkpoints import LoopState

ROOT = Path(__file__).parents[2]


def _run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return run_warm([ROOT / "training" / "run.py", *arguments], cwd=cwd)


def _refused(ended: subprocess.CompletedProcess[str], words: str) -> None:
    """Check for exit code 2 and one line on stderr."""
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr


@pytest.mark.parametrize("command", ["train", "study", "evaluate", "compare", "report", "export", "tag", "listen"])
def test_each_command_explains_itself_without_importing_tensorflow(command: str) -> None:
    ended = _run(command, "--help")
    assert ended.returncode == 0
    assert "Usage:" in ended.stdout


def test_where_there_is_no_test_side_the_next_step_names_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    from training.fit import train

    for side, words in (("test", "--run RUN\n"), ("validation", "--run RUN --split validation\n")):
        summary = train.TrainSummary("RUN", LoopState(label_version="a@b"), 0, 1, 0, 0, 0.0, 0.0, 0.0, None, side)
        monkeypatch.setattr(train, "train", lambda *_, summary=summary, **__: summary)
        ended = CliRunner().invoke(
            cli, ["train", "--dataset", "d", "--label-set", "a", "--frontend", "waveform", "--out", "RUN"]
        )
        assert ended.output.endswith(f"next: {training_command('evaluate')} {words}")


def test_it_runs_from_anywhere(tmp_path: Path) -> None:
    assert _run("--help", cwd=tmp_path).returncode == 0


def test_what_is_missing_or_wrong_is_one_line_and_exit_2(small_dataset: SmallDataset, tmp_path: Path) -> None:
    needed = ["--dataset", small_dataset.root, "--label-set", "small", "--frontend", "waveform"]
    out = ["--out", str(tmp_path / "run")]
    _refused(_run("train", *needed[2:], *out), "--dataset: expected")
    _refused(_run("train", *needed, *out, "--patch-seconds", "1"), "needs at least 1.23")
    _refused(_run("train", *needed, *out, "--train-share", "2"), "--train-share: expected more than 0 and at most 1")
    _refused(_run("study", *needed[:4], *out, "--shares", "1/0"), "--shares: expected shares such as 1/16,1/4,1")
    _refused(_run("train", "--dataset", str(tmp_path), *needed[2:], *out), "expected a dataset, found no dataset.json")
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_configuration_and_a_folder_that_cannot_be_are_one_line_and_exit_2(
    small_dataset: SmallDataset, small_run: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    _refused(_run("train", "--out", "run", "--config", str(tmp_path)), "cannot be read")
    _refused(_run("export", "--run", small_run, "--out", ""), "expected a folder for a SavedModel")
    _refused(_run("tag", "--model", str(tmp_path), "song.mp3"), "expected a SavedModel, found no saved_model.pb")
    _refused(_run("export", "--run", small_run, "--out", str(tmp_path / "file")), "expected a folder, found a file")
    needed = ["--dataset", small_dataset.root, "--label-set", "small", "--frontend", "spectrogram"]
    needed += ["--patch-seconds", "1", "--strategy", "single"]
    nowhere = _run("train", *needed, "--out", str(tmp_path / "file" / "run"))
    _refused(nowhere, f"found the file {tmp_path / 'file'} on the way to it; choose another folder")
    _refused(_run("train", *needed, "--out", ""), "expected a folder for a run, received an empty path")


@pytest.mark.slow
def test_a_broken_dataset_is_one_line_and_exit_1(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    for payload in Path(copy.root, "features").glob("logmel-*/gen-000/*.tfrecord"):
        payload.unlink()
    ended = _run(
        "train",
        "--dataset",
        copy.root,
        "--label-set",
        "small",
        "--frontend",
        "spectrogram",
        "--out",
        str(tmp_path / "run"),
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert "the payload is missing" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_finished_run_goes_through_evaluate_export_and_tag(
    small_config: TrainConfig, small_run: str, tmp_path: Path
) -> None:
    evaluated = _run("evaluate", "--run", small_run, "--split", "validation", "--baseline")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "logistic regression" in evaluated.stdout
    model = tmp_path / "the model"
    exported = _run("export", "--run", small_run, "--out", str(model))
    assert exported.returncode == 0, exported.stderr
    sound = (0.2 * np.sin(2 * np.pi * 110 * np.arange(48_000 * 2) / 48_000)).astype(np.float32)
    soundfile.write(tmp_path / "gut ön.flac", np.stack([sound, sound], axis=1), 48_000)
    (tmp_path / "text.mp3").write_text("no music")
    os.mkfifo(tmp_path / "pipe\x1b[31m.wav")
    files = [str(tmp_path / name) for name in ("gut ön.flac", "text.mp3", "gone.wav", "pipe\x1b[31m.wav")]
    tagged = _run("tag", "--model", str(model), "--json", *files)
    assert tagged.returncode == 1
    assert tagged.stderr.splitlines() == ["error: 3 of 4 files could not be tagged"]
    rows = [json.loads(line) for line in tagged.stdout.splitlines()]
    assert [row["file"] for row in rows] == files
    assert sorted(rows[0]["scores"]) == sorted(TAGS)
    assert list(rows[0]["scores"].values()) == sorted(rows[0]["scores"].values(), reverse=True)
    assert rows[0]["seconds"] == pytest.approx(2.0)
    assert rows[1]["problem"].startswith("unsupported_format")
    assert rows[2]["problem"] == "not_found: no such file"
    assert rows[3]["problem"] == "not_a_file: expected a file, found a pipe"
    whole = _run("tag", "--model", model.as_uri(), files[0])
    assert whole.returncode == 0
    assert f"{files[0]} (2.0 s): " in whole.stdout
    refused = _run("tag", "--model", str(model), files[3])
    assert refused.stderr.splitlines()[0] == f"{tmp_path}/pipe\\x1b[31m.wav: not tagged: {rows[3]['problem']}"
