"""Extreme label sets and splits are trained on and evaluated, or refused in one line."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest

from schemas.console.errors import UserError
from tests.training.conftest import TRACKS, SmallDataset
from training.config import TrainConfig
from training.evaluation.evaluate import evaluate
from training.fit.train import train


def _labelled(copy: SmallDataset, name: str, tags: str) -> None:
    from pipeline.labels.overlay import lay_labels

    (copy.folder / f"{name}.yaml").write_text(f"name: {name}\ntags: [{tags}]\n")
    lay_labels(copy.root, [str(copy.folder / "annotations.csv")], str(copy.folder / f"{name}.yaml"))


def test_a_tag_of_every_track_has_no_area_and_is_listed(
    small_dataset: SmallDataset, small_config: TrainConfig, tmp_path: Path
) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    with open(copy.folder / "annotations.csv", "a", newline="") as file:
        csv.writer(file).writerows([f"track-{number:02d}", "always"] for number in range(TRACKS))
    _labelled(copy, "every", "bass, always")
    run = str(tmp_path / "run")
    config = dataclasses.replace(small_config, dataset=copy.root, label_set="every", epochs=1, class_weights="balanced")
    train(config, run)
    evaluate(run, "test")
    written = json.loads(Path(run, "evaluation", "test.json").read_text())
    assert (written["tags_defined"], written["tags_undefined"]) == (1, ["always"])
    _labelled(copy, "nothing", "always")
    alone = dataclasses.replace(config, label_set="nothing", select_by="pr_auc")
    with pytest.raises(
        UserError, match=r"--select-by pr_auc: is not defined on the \d+ validation tracks, where no tag"
    ):
        train(alone, str(tmp_path / "other"))


@pytest.mark.slow
def test_one_tag_and_splits_of_one_track_are_trained_validated_and_evaluated(
    small_dataset: SmallDataset, small_config: TrainConfig, tmp_path: Path
) -> None:
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_method import SplitMethod
    from pipeline.labels.splits import DEFAULT_SPLIT, make_split
    from schemas.dataset import Dataset

    sides = {"track-01": "validation", "track-03": "test"}
    rows = list(csv.DictReader((small_dataset.folder / "catalog.csv").read_text().splitlines()))
    with open(tmp_path / "catalog.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["track_id", "uri", "split"])
        writer.writeheader()
        for row in rows[:12]:
            uri = str(small_dataset.folder / row["uri"])
            writer.writerow({"track_id": row["track_id"], "uri": uri, "split": sides.get(row["track_id"], "train")})
    root = str(tmp_path / "data")
    build(str(tmp_path / "catalog.csv"), root, BuildOptions(workers=1, shards=2))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod(None))
    (tmp_path / "one.yaml").write_text("name: one\ntags: [bass]\n")
    lay_labels(root, [str(small_dataset.folder / "annotations.csv")], str(tmp_path / "one.yaml"))
    run = str(tmp_path / "run")
    train(dataclasses.replace(small_config, dataset=root, label_set="one", epochs=1), run)
    (line,) = Path(run, "metrics.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["validation_roc_auc"] is None
    for split in ("validation", "test"):
        result = evaluate(run, split)
        assert (result.tracks, result.vocabulary, result.metrics.tags_defined) == (1, ("bass",), 0)
        written = Path(run, "evaluation", f"{split}.json").read_text()
        assert json.loads(written, parse_constant=pytest.fail)["roc_auc_macro"] is None
