"""A model learns from the scores of an ensemble, by the commands of docs/export.md."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tests.training.conftest import EAGERLY, TAGS, SmallDataset
from tests.warm_commands import run_warm
from training.config import TrainConfig
from training.fit.train import train

TRAINING = Path(__file__).parents[2] / "training" / "run.py"
SMALL = "--patch-seconds 1 --max-steps 3 --batch-size 12 --num-filt 1 --backend-filters 32 --dense-units 16".split()


def _errors(student: Path, split: str, taught: dict[str, list[float]]) -> np.ndarray:
    """The stored scores of a split less the teacher's, as DuckDB reads both."""
    file = student / "evaluation" / f"{split}_scores.parquet"
    rows = duckdb.sql(f"SELECT track_id, targets, scores FROM '{file}'").fetchall()
    assert all(targets == taught[track] for track, targets, _ in rows)
    return np.array([np.subtract(scores, taught[track]) for track, _, scores in rows])


@pytest.mark.slow
def test_a_model_is_trained_on_the_scores_of_an_ensemble_and_evaluated_against_them(
    small_dataset: SmallDataset, small_run: str, small_config: TrainConfig, tmp_path: Path
) -> None:
    folder, second = small_dataset.copy(tmp_path / "copy").folder, str(tmp_path / "second")
    train(dataclasses.replace(small_config, seed=1, epochs=1), second)

    def run(*words: object) -> None:
        run_warm(words, cwd=folder, check=True)

    run(TRAINING, "export", "--run", small_run, "--run", second, "--out", "ensemble")
    run("-m", "pipeline.run", "tag", "--model", "ensemble", "--dataset", "data", "--out", "tags", "--workers", 1)
    run("-m", "pipeline.run", "import", "scores", "tags", "--out", "heard")
    laid = ("--annotations", "heard/annotations.parquet", "--label-set", "heard/label_set.yaml")
    run("-m", "pipeline.run", "label", "--dataset", "data", *laid)
    options = ("--dataset", "data", "--label-set", "scores-3", "--frontend", "spectrogram", *SMALL, "--out", "student")
    run("-c", EAGERLY, TRAINING, "train", *options)
    run("-c", EAGERLY, TRAINING, "evaluate", "--run", "student")
    run("-c", EAGERLY, TRAINING, "evaluate", "--run", "student", "--label-set", "small")

    taught = dict(duckdb.sql(f"SELECT track_id, scores::DOUBLE[] FROM '{folder}/tags/scores/*/*.parquet'").fetchall())
    student = folder / "student"
    errors = _errors(student, "test", taught)
    results = json.loads((student / "evaluation" / "test.json").read_text())
    assert errors.shape == (results["tracks"], len(TAGS))
    assert results["label_set"].startswith("scores-3@")
    assert results["sqrt_mse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=1e-6)
    # The loss that chose the checkpoint is the mean squared error too.
    lines = [json.loads(line) for line in (student / "metrics.jsonl").read_text().splitlines()]
    of_validation = np.mean(np.square(_errors(student, "validation", taught)))
    assert min(line["validation_loss"] for line in lines) == pytest.approx(of_validation, abs=1e-6)
    # Beside them, an evaluation against the labels that people gave.
    (by_people,) = (student / "evaluation").glob("test-small@*.json")
    assert 0 <= json.loads(by_people.read_text())["roc_auc_macro"] <= 1
