"""The schemas in docs/schemas, checked with jsonschema, accept the files that the project writes and reject broken ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline.labels.label_set import read_label_set
from pipeline.labels.overlay import lay_labels
from schemas.console.errors import DatasetError, UserError
from schemas.dataset_manifest import DatasetManifest
from schemas.labels_manifest import LabelsManifest
from schemas.manifests import ShardManifest
from tests.conftest import SmallCorpus
from training.config import TrainConfig
from training.config_sources import resolve_config

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schemas"
CONFIG = {"dataset": "data", "label_set": "mine", "frontend": "waveform"}
LABEL_SET = """\
# yaml-language-server: $schema=docs/schemas/label_set.json
name: 2024
tags: [rock, 007, 1.10, no, ~]
min_tracks: 3
merge: {rock: [Rock, 80], 80s: []}
hierarchy: {music: [rock]}
exclude: []
values: graded
positive_at: 0.7
split: default
"""


def problems(name: str, fields: Any) -> list[str]:
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(fields)]


def test_the_schemas_are_those_of_the_code(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "docs" / "write_schemas.py"), str(tmp_path)], check=True, cwd=ROOT)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {path.name: path.read_bytes() for path in SCHEMAS.iterdir()} == written, "stale; run `make schemas`"


def test_a_dataset_fits(dataset: Path, small_corpus: SmallCorpus) -> None:
    lay_labels(str(dataset), [small_corpus.annotations], small_corpus.label_set)
    files = {
        "dataset.json": [dataset / "dataset.json"],
        "done_mark.json": sorted(dataset.glob("features/*/gen-000/part-*.json")),
        "labels.json": sorted(dataset.glob("labels/*/*/labels.json")),
    }
    for name, paths in files.items():
        assert paths, name
        for path in paths:
            assert problems(name, json.loads(path.read_bytes())) == [], path
    label_set = yaml.safe_load(Path(small_corpus.label_set).read_text(encoding="utf-8"))
    assert problems("label_set.json", label_set) == []


def test_the_configuration_of_a_run_fits(tmp_path: Path) -> None:
    from training.runs.run_folder import RunFolder  # imports TensorFlow, for which the other tests need not wait

    RunFolder(str(tmp_path)).begin(TrainConfig(**CONFIG, learning_rate=1e-4))  # type: ignore[arg-type]
    written = json.loads((tmp_path / "config.json").read_bytes())
    assert problems("train_config.json", written) == []
    assert problems("train_config.json", {**written, "format": 2}) != []


def test_a_label_set_and_a_configuration_by_hand_fit(tmp_path: Path) -> None:
    assert problems("label_set.json", yaml.safe_load(LABEL_SET)) == []
    (tmp_path / "set.yaml").write_text(LABEL_SET)
    assert read_label_set(str(tmp_path / "set.yaml")).tags == ("rock", "007", "1.10", "no", "~")
    assert problems("train_config.json", {**CONFIG, "epochs": 3, "dropout": 0}) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "a/b"},
        {"name": ["a"]},
        {"tag": ["rock"]},
        {"tags": "rock"},
        {"tags": []},
        {"tags": [["rock"]]},
        {"tags": ["rock"], "top": 5},
        {"top": 0},
        {"top": 1.5},
        {"min_tracks": -1},
        {"merge": ["rock"]},
        {"merge": {"rock": "Rock"}},
        {"values": "ternary"},
        {"positive_at": 0},
        {"positive_at": 1.5},
        {"missing": "maybe"},
        {"unlabelled": "hide"},
        {"split": "../x"},
    ],
    ids=str,
)
def test_a_broken_label_set_fits_neither_the_schema_nor_the_reader(changed: dict[str, Any], tmp_path: Path) -> None:
    fields = {"name": "mine", **changed}
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(fields))
    assert problems("label_set.json", {"name": "mine"}) == []
    assert problems("label_set.json", fields) != []
    with pytest.raises(UserError):
        read_label_set(str(tmp_path / "set.yaml"))


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch": 3},
        {"epochs": 0},
        {"epochs": 0, "max_steps": 0},
        {"epochs": "3"},
        {"epochs": True},
        {"batch_size": 65_537},
        {"dropout": 1},
        {"learning_rate": 0},
        {"train_share": 1.5},
        {"frontend": "mel"},
        {"waveform_layers": 8},
        {"deterministic": "yes"},
        {"format": 2},
    ],
    ids=str,
)
def test_a_broken_configuration_fits_neither(changed: dict[str, Any], tmp_path: Path) -> None:
    fields = {**CONFIG, **changed}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    assert problems("train_config.json", fields) != []
    with pytest.raises(UserError):
        resolve_config(str(tmp_path / "config.json"), {})


def _generation(**changed: Any) -> dict[str, Any]:
    return {"generations": [{"generation": 0, "shards": 1, "tracks": 1, **changed}]}


DATASET: dict[str, Any] = {"families": {}, "versions": {"numpy": "2"}, **_generation()}
SHARD = {"payload": "a", "records": 1, "bytes": 1, "sha256": "aa", "tracks": 1, "tracks_sha256": "bb"}
LABELS: dict[str, Any] = {
    "name": "mine",
    "version": "aa",
    "label_set": {"values": "binary", "positive_at": 0.5, "missing": "negative"},
    "annotations_sha256": [],
    "split": {"name": "default", "version": "bb"},
    "generations": [],
    "counts": {"tracks": 1, "tags": 1},
}


@pytest.mark.parametrize(
    ("name", "read", "fields", "changed"),
    [
        ("dataset.json", DatasetManifest.from_dict, DATASET, {"versions": ["2"]}),
        ("dataset.json", DatasetManifest.from_dict, DATASET, {"families": {"cqt": {"fingerprint": "a", "spec": {}}}}),
        ("dataset.json", DatasetManifest.from_dict, DATASET, {"families": {"logmel": {"spec": {}}}}),
        ("dataset.json", DatasetManifest.from_dict, DATASET, {"owner": "me"}),
        ("dataset.json", DatasetManifest.from_dict, DATASET, _generation(tracks="1")),
        ("dataset.json", DatasetManifest.from_dict, DATASET, _generation(owner="me")),
        ("dataset.json", DatasetManifest.from_dict, DATASET, _generation(rejects=["empty"])),
        ("done_mark.json", ShardManifest.from_dict, SHARD, {"records": "1"}),
        ("done_mark.json", ShardManifest.from_dict, SHARD, {"sha256": None}),
        ("done_mark.json", ShardManifest.from_dict, SHARD, {"compression": "zstd"}),
        ("labels.json", LabelsManifest.from_dict, LABELS, {"split": ["default"]}),
        ("labels.json", LabelsManifest.from_dict, LABELS, {"counts": {"tracks": "1", "tags": 1}}),
        ("labels.json", LabelsManifest.from_dict, LABELS, {"generations": [1]}),
    ],
)
def test_a_broken_manifest_fits_neither(
    name: str, read: Callable[..., object], fields: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert problems(name, {"format": 1, **fields}) == []
    assert problems(name, {"format": 1, **fields, **changed}) != []
    with pytest.raises(DatasetError):
        read({**fields, **changed}, where="it")
