"""A run that was killed, stopped or damaged goes on and ends like an undisturbed one, bit for bit."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schemas.console.errors import DatasetError, TagscaleError, UserError
from schemas.console.stopping import STOPPED_WORDS
from schemas.dataset import Dataset
from schemas.storage.checksums import with_checksum
from schemas.storage.files import TEMPORARY_PREFIX
from tests.pseudo_terminal import INTERRUPT, PseudoTerminal, lines_of
from tests.training.conftest import EAGERLY, SmallDataset
from tests.warm_commands import WarmCommand, run_warm
from training.config import TrainConfig
from training.data.input import TrainingInput, _EpochPlan
from training.fit.train import train
from training.runs.run_folder import RunFolder
from training.runs.trained import open_run

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def config(small_config: TrainConfig) -> TrainConfig:
    """A configuration with two steps per epoch, a checkpoint after each, and every option that keeps a state."""
    return dataclasses.replace(
        small_config, epochs=3, checkpoint_minutes=0.0, ema=0.9, plateau_epochs=1, warmup_steps=3
    )


@pytest.fixture(scope="module")
def undisturbed(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    train(config, str(out))
    return out


@pytest.fixture(scope="module")
def stopped_runs(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs of one and two epochs, the second resumed from the first; `begun` copies them."""
    runs = {epochs: tmp_path_factory.mktemp("stopped") / "run" for epochs in (1, 2)}
    train(dataclasses.replace(config, epochs=1), str(runs[1]))
    shutil.copytree(runs[1], runs[2])
    train(dataclasses.replace(config, epochs=2), str(runs[2]))
    return runs


@pytest.fixture
def begun(stopped_runs: dict[int, Path], tmp_path: Path) -> Callable[[int], Path]:
    """A copy of a run after the given number of epochs, which the test may continue."""
    return lambda epochs: Path(shutil.copytree(stopped_runs[epochs], tmp_path / "run"))


def _steps(run: Path) -> list[int]:
    return sorted(int(path.parent.name.removeprefix("step-")) for path in run.glob("checkpoints/step-*/state.json"))


def _arrays(folder: Path) -> dict[str, np.ndarray]:
    (file,) = folder.glob("*.npz")
    with np.load(file) as arrays:
        return dict(arrays)


def _lines(run: Path) -> list[dict[str, float]]:
    clock = {"seconds", "validation_seconds", "examples_per_second", "input_wait"}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in clock} for line in lines]


def _assert_same(run: Path, undisturbed: Path) -> None:
    assert _steps(run)[-1] == _steps(undisturbed)[-1]
    newest = f"step-{_steps(run)[-1]:09d}"
    for name in (newest, "best"):
        states = [json.loads((one / "checkpoints" / name / "state.json").read_text()) for one in (run, undisturbed)]
        assert states[0] == states[1]  # it includes the hashes of the weights
    assert _lines(run) == _lines(undisturbed)


def _command(config: TrainConfig, out: Path, folder: Path) -> list[str]:
    (folder / "given.json").write_text(json.dumps(config.to_dict()))
    options = ("--config", str(folder / "given.json"), "--out", str(out))
    return [sys.executable, "-c", EAGERLY, "training/run.py", "train", *options]


def _start_and_wait(command: list[str], reached: Callable[[], bool]) -> WarmCommand:
    process = WarmCommand(command[1:])
    deadline = time.monotonic() + 240
    while not reached() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_an_epoch_ends_with_the_same_bits(
    config: TrainConfig, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = _start_and_wait(_command(config, out, tmp_path), lambda: max(_steps(out), default=0) >= 3)
    assert process.poll() is None, process.communicate()
    process.kill()
    process.wait()
    assert 3 <= _steps(out)[-1] < 6, "killed too late to show anything"
    train(config, str(out))
    _assert_same(out, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("SIGTERM", 75), ("^C", 130)])
def test_a_stopped_run_saves_its_position_says_so_and_goes_on(
    how: str, code: int, config: TrainConfig, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    rarely = dataclasses.replace(config, checkpoint_minutes=60.0)
    with PseudoTerminal(_command(rarely, out, tmp_path), os.environ, ROOT) as terminal:
        terminal.wait_until((out / "metrics.jsonl").exists, seconds=240)
        if how == "^C":
            terminal.press(INTERRUPT)
        else:
            os.kill(terminal.session, signal.SIGTERM)
        assert terminal.exit_code() == code, terminal.shown
    said = [line for line in lines_of(terminal.shown) if not line.startswith("note: ")]  # advice, before the first step
    assert said == [STOPPED_WORDS]
    stopped_at = _steps(out)[-1]
    assert stopped_at > 2, "there was no checkpoint between the first epoch and the stop"
    train(rarely, str(out))
    _assert_same(out, undisturbed)


def test_a_torn_checkpoint_is_left_out_loudly_and_the_end_is_the_same(
    config: TrainConfig, undisturbed: Path, begun: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = begun(2)
    torn = next((out / "checkpoints" / "step-000000004").glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:-100])
    train(config, str(out))
    assert "step-000000004: " in (said := capsys.readouterr().err)
    assert "the previous checkpoint is used" in said
    _assert_same(out, undisturbed)


def test_a_full_disk_leaves_the_checkpoint_before_and_the_next_start_goes_on(
    config: TrainConfig, undisturbed: Path, begun: Callable[[int], Path], tmp_path: Path
) -> None:
    """A limit stands for the full disk: RLIMIT_FSIZE refuses only the larger file of a checkpoint."""
    out = begun(1)
    command = _command(dataclasses.replace(config, epochs=2), out, tmp_path)
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    command[command.index(EAGERLY)] = limited + EAGERLY
    ended = run_warm(command[1:])
    assert ended.returncode == 1, ended.stderr
    assert "warning: " in ended.stderr
    assert "the checkpoint of step 3 cannot be written: File too large; training continues" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert "the one of step 2 stays" in ended.stderr.splitlines()[-1]
    assert _steps(out)[-1] == 2
    train(config, str(out))
    _assert_same(out, undisturbed)


def test_another_label_version_is_refused_with_the_difference(
    small_dataset: SmallDataset, config: TrainConfig, begun: Callable[[int], Path], tmp_path: Path
) -> None:
    from pipeline.labels.overlay import lay_labels

    copy = small_dataset.copy(tmp_path / "copy")
    here = dataclasses.replace(config, dataset=copy.root, epochs=1)
    stored = begun(1) / "config.json"
    stored.write_text(json.dumps(with_checksum({**json.loads(stored.read_text()), "dataset": copy.root})))
    with open(copy.folder / "annotations.csv", "a") as annotations:
        annotations.write("track-00,noise\n")
    lay_labels(copy.root, [str(copy.folder / "annotations.csv")], str(copy.folder / "small.yaml"))
    run = str(tmp_path / "run")
    ways = rf"--label-set small@\w+ resumes with the old ones, --init-from {run} --out NEW starts a new run on the new ones"
    with pytest.raises(UserError, match=rf"another configuration \(label_set: small@\w+ -> small@\w+\); .*{ways}"):
        train(here, str(tmp_path / "run"))


def test_removed_tracks_begin_the_epoch_again_and_say_so(
    small_dataset: SmallDataset, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.removal.remove import remove
    from schemas.label_version import open_labels

    copy = small_dataset.copy(tmp_path / "copy")
    here = dataclasses.replace(config, dataset=copy.root, epochs=1, keep_checkpoints=4)
    run = tmp_path / "run"
    train(here, str(run))
    shutil.rmtree(run / "checkpoints" / "step-000000002")
    table = open_labels(Dataset.open(copy.root), "small").table
    training = [row["track_id"] for row in table.to_pylist() if row["split"] == "train"]
    (tmp_path / "gone.txt").write_text(f"{training[0]}\n")
    remove(copy.root, str(tmp_path / "gone.txt"))
    state = train(here, str(run)).state
    assert (
        "training tracks were removed from the dataset since; the run continues with the others"
        in capsys.readouterr().err
    )
    assert (state.epoch, state.step) == (1, 1 + -(-(len(training) - 1) // here.batch_size))


def test_a_purge_under_a_running_training_ends_it_with_words_and_the_next_start_goes_on(
    small_dataset: SmallDataset, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.removal.remove import remove
    from schemas.label_version import open_labels

    copy = small_dataset.copy(tmp_path / "copy")
    here = dataclasses.replace(config, dataset=copy.root, epochs=2)
    table = open_labels(Dataset.open(copy.root), "small").table
    training = [row["track_id"] for row in table.to_pylist() if row["split"] == "train"]
    (tmp_path / "gone.txt").write_text(f"{training[0]}\n")
    part = TrainingInput._part
    purged: list[object] = []
    one_at_a_time = threading.Lock()  # several threads read ahead

    def purging(self: TrainingInput, draws: np.ndarray, plan: _EpochPlan) -> object:
        with one_at_a_time:
            if plan.epoch == 1 and not purged:
                purged.append(remove(copy.root, str(tmp_path / "gone.txt"), purge=True))
        return part(self, draws, plan)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingInput, "_part", purging)
        with pytest.raises(DatasetError, match=r"is gone, as after `.*remove --purge`.* run the same command again"):
            train(here, str(tmp_path / "run"))
    assert purged
    assert train(here, str(tmp_path / "run")).state.epoch == 2


def test_a_loss_that_is_no_number_stops_at_once_names_the_tracks_and_another_rate_may_begin_anew(
    config: TrainConfig, begun: Callable[[int], Path], tmp_path: Path
) -> None:
    run = str(tmp_path / "wild")
    wild = dataclasses.replace(
        config, batch_size=8, learning_rate=9.9, warmup_steps=0, ema=0.0, epochs=200, l2=1e30, checkpoint_minutes=9
    )
    with pytest.raises(
        TagscaleError, match=r"the loss is (nan|inf), with the tracks track-\d\d, .*choose another --out then"
    ):
        train(wild, run)
    RunFolder(run).begin(config)  # without a checkpoint a run may begin with other settings
    with pytest.raises(UserError, match=r"another configuration \(.*learning_rate: 0.001 -> 9.9"):
        train(wild, str(begun(1)))


def test_two_trainings_of_one_run_are_kept_apart(config: TrainConfig, tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path / "run"))
    with run.held(), pytest.raises(UserError, match="another command is changing this run"):
        train(config, run.root)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("epochs", [2, 3])  # the run is complete, or goes on
def test_a_torn_best_checkpoint_is_reported_and_another_is_chosen(
    config: TrainConfig, begun: Callable[[int], Path], capsys: pytest.CaptureFixture[str], epochs: int
) -> None:
    run = begun(2)
    (torn,) = (run / "checkpoints" / "best").glob("*.npz")
    torn.write_bytes(torn.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"has changed since it was written; run the same .* again"):
        open_run(str(run))
    summary = train(dataclasses.replace(config, epochs=epochs), str(run))
    assert "the best one, are lost" in capsys.readouterr().err
    assert (summary.state.epoch, summary.state.best_epoch) == (epochs, epochs)
    assert open_run(str(run)).state.best == summary.state.best


def test_what_a_kill_left_unfinished_is_cleared_away(config: TrainConfig, begun: Callable[[int], Path]) -> None:
    run = begun(1)
    left = run / "checkpoints" / "step-000000001" / f"{TEMPORARY_PREFIX}half"
    left.write_bytes(b"half a checkpoint")
    train(dataclasses.replace(config, epochs=2), str(run))
    assert _steps(run) == [3, 4]
    assert not left.parent.exists()


def test_workers_save_before_they_validate_since_one_alone_cannot_stop_there(
    config: TrainConfig, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rarely = dataclasses.replace(config, checkpoint_minutes=60.0)
    with monkeypatch.context() as patched:
        patched.setattr("training.fit.loop.worker_count", lambda _strategy: 2)
        patched.setattr("training.fit.validation.Validation.run", _gone)
        with pytest.raises(TagscaleError, match="another worker is gone"):
            train(rarely, str(tmp_path / "run"))
    assert _steps(tmp_path / "run") == [2]
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    train(rarely, str(tmp_path / "run"))
    _assert_same(tmp_path / "run", undisturbed)


def _gone(*_: object) -> None:
    raise TagscaleError("another worker is gone")


def test_a_run_that_ended_before_it_was_shown_is_shown_by_the_same_command(
    config: TrainConfig, stopped_runs: dict[int, Path], begun: Callable[[int], Path]
) -> None:
    run = begun(1)
    (run / "report.html").unlink()
    assert train(dataclasses.replace(config, epochs=1), str(run)).trained_steps == 0
    shown = (stopped_runs[1] / "report.html").read_text()
    assert (run / "report.html").read_text() == shown.replace(str(stopped_runs[1]), str(run))
