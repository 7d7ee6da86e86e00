from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest

from schemas.console.errors import UserError
from training.config import TrainConfig, resolve_config

NEEDED = {"dataset": "data", "label_set": "mine", "frontend": "spectrogram"}


def test_the_defaults_are_the_authors_recipe() -> None:
    config = TrainConfig(**NEEDED)
    assert (config.patch, config.learning_rate, config.dropout, config.batch_size) == (938, 1e-3, 0.5, 32)
    assert (config.plateau_epochs, config.l2, config.num_filt, config.dense_units) == (75, 1e-5, 16, 500)
    assert config.residual_batch_norm == "scalar"


def test_the_command_line_goes_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: data\nlabel_set: mine\nfrontend: waveform\nlearning_rate: 1e-4\nepochs: 7\n"
    )
    config = resolve_config(str(tmp_path / "c.yaml"), {"epochs": 9, "seed": None})
    assert (config.frontend, config.learning_rate, config.epochs, config.seed) == ("waveform", 1e-4, 9, 0)


def test_a_runs_config_repeats_it(tmp_path: Path) -> None:
    config = TrainConfig(**NEEDED, epochs=3, patch_seconds=3.0)
    (tmp_path / "config.json").write_text(json.dumps({"format": 1, **config.to_dict()}))
    assert resolve_config(str(tmp_path / "config.json"), {}) == config


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, received 0"),
        ({"batch_size": 2.5}, "batch_size: expected int, received 2.5"),
        ({"frontend": "mel"}, "frontend: expected spectrogram or waveform or musicnn or vgg, received 'mel'"),
        ({"learning_rate": "fast"}, "learning_rate: expected float, received 'fast'"),
        ({"learning_rate": -1.0}, "learning_rate: expected more than 0"),
        ({"dropout": 1.5}, "dropout"),
        ({"patch_seconds": 0.05}, "this spectrogram model needs at least"),
        ({"frontend": "waveform", "patch_seconds": 1.0}, "this waveform model needs at least 1.23, received 1"),
        ({"frontend": "waveform", "waveform_layers": 9, "patch_seconds": 3.0}, "needs at least 11.07"),
        ({"precision": "float16"}, "precision: expected float32 or mixed_bfloat16 or mixed_float16"),
        ({"synchronized_batch_norm": "yes"}, "synchronized_batch_norm: expected bool"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TrainConfig(**{**NEEDED, **fields})


@pytest.mark.parametrize("name", [name for name, kind in typing.get_type_hints(TrainConfig).items() if kind is float])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_no_number_of_a_configuration_may_be_infinite_or_nan(name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"^{name}: expected .*, received {value}$"):
        TrainConfig(**{**NEEDED, name: float(value)})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"batch_size": 10**20}, "batch_size: expected at most 65536, received 1"),
        ({"patch_seconds": 1e308}, "patch_seconds: expected more than 0 and at most 86400"),
        ({"patch_seconds": 10**400}, "patch_seconds: expected float"),
    ],
)
def test_a_size_that_no_machine_has_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TrainConfig(**{**NEEDED, **fields})


def test_a_wrong_field_is_named_as_it_was_given(tmp_path: Path) -> None:
    file = str(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("epochs: three\n")
    with pytest.raises(UserError) as of_file:
        resolve_config(file, NEEDED)
    assert str(of_file.value) == f"config {file}: line 1: epochs: expected int, received 'three'"
    with pytest.raises(UserError) as of_option:
        resolve_config(file, {**NEEDED, "epochs": 3, "batch_size": 0})
    assert str(of_option.value) == "--batch-size: expected at least 1, received 0"


def test_values_of_a_file_are_read_by_their_fields(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: 007\nlabel_set: on\nfrontend: waveform\nepochs: 012\nwaveform_layers: 7\nlearning_rate: 1e-3\n"
        "deterministic: yes\nnormalize_input: FALSE\ndropout: '.5'\n",
        encoding="utf-8-sig",
    )
    config = resolve_config(str(tmp_path / "c.yaml"), {})
    assert (config.dataset, config.label_set, config.epochs, config.waveform_layers) == ("007", "on", 12, 7)
    assert (config.learning_rate, config.deterministic, config.normalize_input, config.dropout) == (
        1e-3,
        True,
        False,
        0.5,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs: 3\nseed: 1\nepochs: 4\n", "line 3: expected each key once, found 'epochs' on line 1 too"),
        ("epochs: &a 3\n", "line 1: anchors (&a) are not read"),
        ("seed: 1\nepochs: 1_000\n", "line 2: epochs: expected int, received '1_000'"),
        ("epochs: 12:30\n", "line 1: epochs: expected int, received '12:30'"),
        ("epochs: [3]\n", "line 1: epochs: expected int, received ['3']"),
        ("epochs:\n", "line 1: epochs: expected int, received None"),
        (f"epochs: {'9' * 5000}\n", "line 1: epochs: expected int, received '9999"),
        ("deterministic: maybe\n", "line 1: deterministic: expected bool, received 'maybe'"),
        ("features: 2020-99-99\n", "line 1: features: expected logmel-"),
        ("seed: 1\nepoch: 3\n", "line 2: unknown field 'epoch'"),
        ("epochs: 3\n---\nepochs: 4\n", "line 2: expected one document"),
    ],
)
def test_what_a_file_says_wrong_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        resolve_config(str(tmp_path / "c.yaml"), NEEDED if "frontend" not in text else {})
    assert str(refused.value).startswith(f"config {tmp_path / 'c.yaml'}: {words}")
    assert len(str(refused.value)) < 1500


def test_json_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"config .*c.json: expected JSON"):
        resolve_config(str(tmp_path / "c.json"), {})


@pytest.mark.parametrize(
    ("text", "received"), [("", "nothing"), ("- 1\n", r"a list: \['1'\]"), ("epochs", "text: 'epochs'")]
)
def test_a_file_without_fields_says_what_it_holds(tmp_path: Path, text: str, received: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=f"expected fields with values, such as epochs: 10, received {received}"):
        resolve_config(str(tmp_path / "c.yaml"), {})


@pytest.mark.parametrize("name", ["config.json", "config.yaml"])
def test_a_file_of_a_newer_format_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(json.dumps({**NEEDED, "format": 1}))
    assert resolve_config(str(file), {}).epochs == 100
    file.write_text(json.dumps({**NEEDED, "format": 2}))
    with pytest.raises(
        UserError, match="^config .*: written in format 2 by a newer tagscale; this one reads 1: upgrade"
    ):
        resolve_config(str(file), {})
    file.write_text(json.dumps({**NEEDED, "format": "first"}))
    with pytest.raises(
        UserError, match="^config .*: expected the number of a format: its .* is 'first'; leave the field"
    ):
        resolve_config(str(file), {})


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"config {tmp_path}: cannot be read: Is a directory"):
        resolve_config(str(tmp_path), {})


def test_an_unknown_field_a_missing_one_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("dataset: data\nepoch: 3\n")
    with pytest.raises(UserError, match="unknown field 'epoch'"):
        resolve_config(str(tmp_path / "c.yaml"), {})
    with pytest.raises(UserError, match="--label-set: expected"):
        resolve_config(None, {"dataset": "data"})
    with pytest.raises(UserError, match="no such file"):
        resolve_config(str(tmp_path / "none.yaml"), {})
