from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from tests.training.conftest import EAGERLY, SmallDataset
from tests.warm_commands import run_warm
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.evaluation.evaluate import evaluate
from training.fit.train import train
from training.runs.checkpoints import BEST_NAME
from training.runs.run_folder import RunFolder
from training.runs.trained import open_run

ROOT = Path(__file__).parents[3]


def _weights(run: str) -> dict[str, np.ndarray]:
    """The weights of the newest checkpoint."""
    (file,) = sorted(Path(run, "checkpoints").glob("step-*"))[-1].glob("*.npz")
    with np.load(file) as arrays:
        return dict(arrays)


def _lines(run: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


def _without_clock(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    clock = {"seconds", "validation_seconds", "examples_per_second", "input_wait"}
    return [{name: value for name, value in line.items() if name not in clock} for line in lines]


@pytest.mark.usefixtures("graphs")
def test_training_learns_what_the_sounds_are(small_config: TrainConfig, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    # There is no dropout and the statistics adapt quickly, so that few steps suffice on any CPU type.
    steady = dataclasses.replace(small_config, dropout=0.0, batch_norm_momentum=0.9, learning_rate=3e-3)
    summary = train(dataclasses.replace(steady, epochs=20, validate_every=4, select_by="roc_auc"), run)
    lines = _lines(run)
    assert summary.state.epoch == len(lines) == 20
    assert lines[-1]["loss"] < 0.7 * lines[0]["loss"]
    assert max(line["validation_roc_auc"] for line in lines[3::4]) > 0.85


def test_the_run_keeps_its_resolved_config_and_the_label_version(small_config: TrainConfig, small_run: str) -> None:
    config = RunFolder(small_run).read_config()
    name, _, version = config.label_set.partition("@")
    assert name == "small"
    assert len(version) == 12
    assert config.features == f"logmel-{Dataset.open(config.dataset).spec('logmel').fingerprint}"
    assert dataclasses.replace(config, label_set="small", features="") == small_config


def test_the_same_configuration_gives_the_same_weights_from_any_folder(
    small_run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RunFolder(small_run).read_config()
    monkeypatch.chdir(Path(config.dataset).parent)
    train(dataclasses.replace(config, dataset=Path(config.dataset).name), str(tmp_path / "again"))
    monkeypatch.chdir(tmp_path)
    assert open_run("again").config.dataset == config.dataset
    first, second = (_weights(run) for run in (small_run, "again"))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert _without_clock(_lines(small_run)) == _without_clock(_lines("again"))


def test_another_configuration_is_refused_with_the_difference(small_config: TrainConfig, small_run: str) -> None:
    with pytest.raises(UserError, match=r"another configuration \(batch_size: 12 -> 4; seed: 0 -> 1\)"):
        train(dataclasses.replace(small_config, batch_size=4, seed=1), small_run)


def test_a_folder_that_is_something_else_is_refused_untouched(small_config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"expected a run or an empty folder, found thesis.txt"):
        train(small_config, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("graphs")
def test_training_stops_early_and_halves_the_rate_when_nothing_gets_better(
    small_config: TrainConfig, tmp_path: Path
) -> None:
    # So large a rate makes the weights jump about, so the first validations stay the best.
    config = dataclasses.replace(small_config, epochs=30, learning_rate=5.0, plateau_epochs=1, stop_epochs=2)
    run = str(tmp_path / "run")
    train(config, run)
    lines = _lines(run)
    best = json.loads(Path(run, "checkpoints", BEST_NAME, "state.json").read_text())["state"]["best_epoch"]
    assert len(lines) == best + 2 < 30
    assert lines[-1]["learning_rate"] <= 2.5


def test_the_last_checkpoint_is_kept_where_it_is_asked_for_though_an_earlier_one_is_as_good(
    small_config: TrainConfig, tmp_path: Path
) -> None:
    # The rate makes the weights jump about, as above.
    config = dataclasses.replace(small_config, epochs=3, learning_rate=5.0, select_by="last")
    run = str(tmp_path / "run")
    assert train(config, run).state.best_epoch == 3
    *losses, last = [line["validation_loss"] for line in _lines(run)]
    assert min(losses) <= last
    assert open_run(run).state.epoch == 3
    page = Path(run, "report.html").read_text()
    assert "best epoch, which is the last one" in page


def test_a_damaged_shard_stops_training_with_its_name(
    small_dataset: SmallDataset, small_config: TrainConfig, tmp_path: Path
) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    for payload in Path(copy.root, "features").glob("logmel-*/gen-000/*.tfrecord"):
        payload.write_bytes(bytes(payload.stat().st_size))
    with pytest.raises(DatasetError, match=r"part-0000\d-\w+\.tfrecord at byte \d+: no TFRecord record starts here"):
        train(dataclasses.replace(small_config, dataset=copy.root), str(tmp_path / "run"))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_to_finite_numbers(small_config: TrainConfig, tmp_path: Path, precision: str) -> None:
    run = str(tmp_path / "run")
    short = dataclasses.replace(small_config, epochs=1, patch_seconds=0.25)  # float16 is slow on a CPU
    train(dataclasses.replace(short, precision=precision), run)
    assert np.isfinite(_lines(run)[0]["loss"])


def test_the_waveform_model_trains_from_the_same_dataset(waveform_run: str) -> None:
    assert np.isfinite(_lines(waveform_run)[0]["validation_loss"])


ALL_OPTIONS: dict[str, Any] = {
    **{"schedule": "cosine", "warmup_steps": 2, "normalize_input": True, "weight_decay": 0.01, "clip_norm": 1.0},
    **{"ema": 0.5, "label_smoothing": 0.1, "class_weights": "balanced", "mixup": 0.2, "recalibrate_batch_norm": True},
    **{"sampling": "balanced", "accumulate": 3},
}
OF_A_FRONTEND: dict[str, dict[str, Any]] = {
    "spectrogram": {
        "time_masks": 1,
        "time_mask_seconds": 0.2,
        "frequency_masks": 1,
        "pitch_shift_bands": 2,
        "gain_db": 6.0,
    },
    "waveform": {"gain_db": 6.0, "flip_polarity": True, "patch_seconds": 1.5},
}


@pytest.mark.slow
@pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])
def test_all_options_together_train_repeat_and_are_evaluated_as_they_were_validated(
    small_config: TrainConfig, tmp_path: Path, frontend: Any
) -> None:
    config = dataclasses.replace(
        small_config, frontend=frontend, select_by="roc_auc", **ALL_OPTIONS, **OF_A_FRONTEND[frontend]
    )
    first, again = str(tmp_path / "first"), str(tmp_path / "again")
    train(config, first)
    train(RunFolder(first).read_config(), again)
    assert _without_clock(_lines(first)) == _without_clock(_lines(again))
    assert all(np.array_equal(value, _weights(again)[name]) for name, value in _weights(first).items())
    best = max(line["validation_roc_auc"] for line in _lines(first))
    # The best checkpoint holds the averaged weights that were validated, and the statistics of the input.
    assert evaluate(first, "validation").metrics.roc_auc_macro == pytest.approx(best, abs=1e-9)
    if frontend == "spectrogram":
        _assert_statistics_of_the_training_split(first)


def _assert_statistics_of_the_training_split(run: str) -> None:
    dataset = Dataset.open(RunFolder(run).read_config().dataset)
    tracks = labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), "train")
    records = TrackRecords(dataset, tracks)
    frames = np.concatenate([as_float(records.read(number)) for number in range(len(tracks))])
    stored = {name.rpartition("/")[2]: value for name, value in _weights(run).items() if "normalized" in name}
    assert stored["mean"] == pytest.approx(frames.mean(axis=0), abs=1e-3)
    assert stored["deviation"] == pytest.approx(np.maximum(frames.std(axis=0), 1e-3), abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"flip_polarity": True},
            "flip_polarity: is for a waveform front-end, received a spectrogram one; leave it out",
        ),
        ({"frontend": "waveform", "time_masks": 1}, "time_masks: is for a spectrogram front-end"),
        ({"ema": 1.0}, "ema: expected at least 0 and less than 1, received 1"),
        ({"mixup": -0.1}, "mixup: expected at least 0, received -0.1"),
        ({"schedule": "cosine", "stop_epochs": 3}, "stop_epochs: a cosine ends with the last epoch"),
        (
            {"select_by": "last", "stop_epochs": 3},
            "stop_epochs: the last checkpoint is always the best by select_by last",
        ),
        ({"train_share": 0.0}, "train_share: expected more than 0 and at most 1"),
        ({"clip_norm": float("nan")}, "clip_norm: expected a finite number, received nan"),
    ],
)
def test_options_that_cannot_be_are_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TrainConfig(**{"dataset": "data", "label_set": "mine", "frontend": "spectrogram", **fields})


def test_a_patch_longer_than_all_tracks_is_refused_before_a_run_begins(
    small_config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"--patch-seconds 9: expected at most the longest training track, 4.0\d s"):
        train(dataclasses.replace(small_config, patch_seconds=9.0), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_training_shows_itself_on_tensorboard_and_on_a_page(small_run: str) -> None:
    board = sorted(path.name for path in Path(small_run, "tensorboard").iterdir())
    assert "projector_config.pbtxt" in board
    assert "events.out.tfevents.step-000000000004" in board
    page = Path(small_run, "report.html").read_text()
    assert "python training/run.py train --config" in page


@pytest.mark.slow
def test_op_determinism_trains_to_the_same_weights(small_run: str, small_config: TrainConfig, tmp_path: Path) -> None:
    """The test runs it in a separate process, since it cannot be turned off again."""
    out = tmp_path / "run"
    (tmp_path / "config.json").write_text(json.dumps(RunFolder(small_run).read_config().to_dict()))
    options = ["--config", str(tmp_path / "config.json"), "--deterministic", "--out", str(out)]
    run_warm(["-c", EAGERLY, "training/run.py", "train", *options], check=True)
    first, second = _weights(small_run), _weights(str(out))
    assert all(np.array_equal(first[name], second[name]) for name in first)
