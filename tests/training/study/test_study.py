from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.console.errors import DatasetError, UserError
from schemas.console.stopping import STOPPED_WORDS
from schemas.storage.files import write_atomic
from tests.pseudo_terminal import INTERRUPT, PseudoTerminal, lines_of
from tests.training.conftest import SmallDataset
from training.config import TrainConfig
from training.evaluation.evaluate import evaluate
from training.study.plan import StudyPlan, make_plan
from training.study.study import CONFIG_NAME, run_study

ROOT = Path(__file__).parents[3]
TABLES = ("study.json", "study.csv")
FIGURES = ("study.png", "study.svg")


@pytest.fixture(scope="session")
def plan(small_config: TrainConfig) -> StudyPlan:
    """Both front-ends on half and on all of the small dataset."""
    config = dataclasses.replace(small_config, patch_seconds=1.5, epochs=1, stop_epochs=1)
    return make_plan(config, "1/2,1", 1, "spectrogram,waveform")


@pytest.fixture(scope="session")
def study(plan: StudyPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study; tests only read it."""
    out = tmp_path_factory.mktemp("study") / "study"
    run_study(plan, str(out))
    return out


def _rows(out: Path) -> list[dict[str, str]]:
    with open(out / "study.csv", newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_each_row_is_that_of_an_ordinary_run(study: Path, plan: StudyPlan) -> None:
    rows = _rows(study)
    assert sorted(os.listdir(study / "runs")) == sorted(run.name for run in plan.runs())
    for row, run in zip(rows, plan.runs(), strict=True):
        metrics = evaluate(str(study / "runs" / run.name)).metrics
        assert (float(row["roc_auc"]), float(row["pr_auc"])) == (metrics.roc_auc_macro, metrics.pr_auc_macro)
        assert (row["frontend"], float(row["share"])) == (run.config.frontend, run.config.train_share)
        assert int(row["epochs"]) == run.config.epochs
        assert "ROC-AUC, macro, test" in (study / "runs" / run.name / "report.html").read_text()
    tracks = [int(row["tracks"]) for row in rows]
    assert tracks[0] == tracks[1] < tracks[2] == tracks[3]


@pytest.mark.slow
def test_the_summary_has_both_baselines_at_every_size_and_the_figures_are_there(study: Path) -> None:
    written = json.loads((study / "study.json").read_text())
    found = [(row["share"], row["baseline"]) for row in written["baselines"]]
    assert found == [(share, kind) for share in (0.5, 1.0) for kind in ("logistic", "trees")]
    assert [row["tracks"] for row in written["baselines"][::2]] == [size["tracks"] for size in written["sizes"]]
    assert all(size["gap"]["pr_auc"]["seeds"] == 1 for size in written["sizes"])
    assert all((study / name).stat().st_size > 1000 for name in FIGURES)


@pytest.mark.slow
def test_what_is_finished_is_not_done_again_and_the_tables_come_out_the_same(study: Path, plan: StudyPlan) -> None:
    before = {name: (study / name).read_bytes() for name in (*TABLES, *FIGURES)}
    checkpoints = {path: path.stat().st_mtime_ns for path in study.glob("runs/*/checkpoints/best/state.json")}
    for name in before:
        (study / name).unlink()
    run_study(plan, str(study))
    assert {name: (study / name).read_bytes() for name in before} == before
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == checkpoints


@pytest.mark.slow
def test_a_study_stopped_by_hand_exits_130_and_goes_on_to_the_same_results(
    study: Path, plan: StudyPlan, tmp_path: Path
) -> None:
    """The terminal sends ^C to the training process too, which saves because the study tells it to."""
    out = tmp_path / "study"
    write_atomic(str(tmp_path / "config.json"), json.dumps(plan.config.to_dict()).encode())
    command = [sys.executable, "training/run.py", "study", "--config", str(tmp_path / "config.json")]
    command += ["--shares", "1/2,1", "--seeds", "1", "--frontends", "spectrogram", "--out", str(out)]
    smaller = dataclasses.replace(plan, frontends=("spectrogram",))
    first = out / "results" / f"{smaller.runs()[0].name}.json"
    with PseudoTerminal(command, os.environ, ROOT) as terminal:
        terminal.wait_until(first.exists, seconds=240)
        terminal.press(INTERRUPT)
        assert terminal.exit_code() == 130, terminal.shown
        terminal.wait_until_none_is_left()
    assert lines_of(terminal.shown)[-1] == STOPPED_WORDS
    assert "Traceback" not in terminal.shown
    assert not (out / "study.json").exists()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "of 2 trainings are finished already" in ended.stderr
    uninterrupted = Path(shutil.copytree(study, tmp_path / "uninterrupted"))
    run_study(smaller, str(uninterrupted))
    assert _rows(out) == _rows(uninterrupted)
    for name in FIGURES:
        assert (out / name).read_bytes() == (uninterrupted / name).read_bytes()


@pytest.mark.slow
def test_another_configuration_is_refused_and_more_seeds_are_not(study: Path, plan: StudyPlan) -> None:
    other = dataclasses.replace(plan, config=dataclasses.replace(plan.config, epochs=3, dropout=0.1))
    with pytest.raises(
        UserError, match=r"holds a study with another configuration \(epochs: 1 -> 3; dropout: 0.5 -> 0.1\)"
    ):
        run_study(other, str(study))
    smaller = run_study(dataclasses.replace(plan, shares=(1.0,), frontends=("waveform",)), str(study))
    assert [row.frontend for row in smaller.runs] == ["waveform"]
    run_study(plan, str(study))


def test_what_cannot_be_trained_is_reported_before_anything_is_written(
    small_dataset: SmallDataset, plan: StudyPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "study"
    for shares, words in (
        ((0.01, 1.0), "--shares: expected a share that holds a group of small@.*received 0.01: .* groups"),
        ((0.97, 1.0), "shares of different sizes"),
    ):
        with pytest.raises(UserError, match=words):
            run_study(dataclasses.replace(plan, shares=shares), str(out))
    two = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(two))
    cluster = dataclasses.replace(plan.config, strategy="auto")
    with pytest.raises(UserError, match="expected one process, received a cluster"):
        run_study(dataclasses.replace(plan, config=cluster), str(out))
    monkeypatch.delenv("TF_CONFIG")
    assert not out.exists()
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"expected a study or an empty folder, found thesis.txt"):
        run_study(plan, str(tmp_path))


@pytest.mark.parametrize("cut", ["", "[]", '{"format": 1'])
def test_a_study_whose_configuration_was_cut_says_so(plan: StudyPlan, tmp_path: Path, cut: str) -> None:
    write_atomic(str(tmp_path / CONFIG_NAME), cut.encode())
    with pytest.raises(DatasetError, match=r"study_config\.json: expected the configuration.*choose another --out"):
        run_study(plan, str(tmp_path))
    assert (tmp_path / CONFIG_NAME).read_bytes() == cut.encode()
