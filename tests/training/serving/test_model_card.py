"""The card of a model and its thresholds say what the evaluation of its run says."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.training.conftest import TAGS, Served
from training.evaluation.evaluate import evaluate
from training.runs.trained import open_run
from training.serving.export import export
from training.serving.model_card import model_card
from training.serving.thresholds import validation_thresholds


@pytest.fixture
def run(small_run: str, tmp_path: Path) -> Path:
    """A copy of the small run that has not been evaluated."""
    copy = Path(shutil.copytree(small_run, tmp_path / "run"))
    shutil.rmtree(copy / "evaluation", ignore_errors=True)
    return copy


def table_under(card: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its rule."""
    below = card.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], *rows[2:])]


def test_an_export_holds_the_results_the_licence_and_the_thresholds_of_the_evaluation(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "keras"
    export(str(run), str(out), "keras")
    plain = (out / "MODEL_CARD.md").read_text()
    assert "had not been evaluated" in plain
    assert "No licence was stated" in plain
    assert table_under(plain, "Data") == [["split", "tracks"], ["train", "22"], ["validation", "8"], ["test", "6"]]
    assert [row[0] for row in table_under(plain, "Tags")] == ["tag", *TAGS]
    result = evaluate(str(run))
    export(str(run), str(out), "keras", licence="CC-BY-4.0")
    card = (out / "MODEL_CARD.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["license"] == "CC-BY-4.0"
    assert head["pipeline_tag"] == "audio-classification"
    assert json.loads((out / "assets" / "model.json").read_text())["licence"] == "CC-BY-4.0"
    assert card.endswith("## Licence\n\nCC-BY-4.0\n")
    results = {row[0]: row[1] for row in table_under(card, "Results")[1:]}
    assert results["ROC-AUC (macro)"] == f"{result.metrics.roc_auc_macro:.3f}"
    assert results["PR-AUC (macro)"] == f"{result.metrics.pr_auc_macro:.3f}"
    rows = table_under(card, "Tags")[1:]
    assert [row[4] for row in rows] == [str(one.positives) for one in result.metrics.per_tag]
    stored = json.loads((out / "assets" / "thresholds.json").read_text())
    with open(run / "evaluation" / "test_per_tag.csv", newline="") as file:
        expected = {row["tag"]: float(row["threshold"]) for row in csv.DictReader(file)}
    assert stored["thresholds"] == pytest.approx(expected, rel=1e-8)
    assert (stored["split"], stored["tracks"]) == ("validation", 8)


def test_results_of_other_weights_are_left_out(run: Path) -> None:
    evaluate(str(run))
    opened = open_run(str(run))
    thresholds = validation_thresholds(opened)
    assert "ROC-AUC" in model_card(opened, thresholds, None)
    of_others = dataclasses.replace(opened, checkpoint="0" * 64)
    assert "had not been evaluated" in model_card(of_others, thresholds, None)


def test_a_saved_model_has_them_too(spectrogram: Served) -> None:
    assert (spectrogram.model / "MODEL_CARD.md").exists()
    assert set(json.loads((spectrogram.model / "assets" / "thresholds.json").read_text())["thresholds"]) == set(TAGS)
