from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from schemas.console.errors import UserError
from training.config import TrainConfig
from training.config_sources import resolve_config
from training.models.config import Frontend
from training.recipes.recipe import RECIPES

NEEDED = {"dataset": "data", "label_set": "mine", "frontend": "spectrogram"}


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


def test_the_command_line_may_count_in_steps_what_the_file_counts_in_epochs_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    (tmp_path / "epochs.yaml").write_text("dataset: data\nlabel_set: mine\nfrontend: waveform\nepochs: 7\n")
    config = resolve_config(str(tmp_path / "epochs.yaml"), {"max_steps": 90})
    assert (config.epochs, config.max_steps) == (0, 90)
    (tmp_path / "steps.json").write_text(json.dumps(config.to_dict()))
    assert resolve_config(str(tmp_path / "steps.json"), {}) == config
    again = resolve_config(str(tmp_path / "steps.json"), {"epochs": 5})
    assert (again.epochs, again.max_steps) == (5, 0)
    with pytest.raises(UserError, match="^--epochs: says in epochs what max_steps says in steps, received 5 and 90"):
        resolve_config(str(tmp_path / "steps.json"), {"epochs": 5, "max_steps": 90})


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("frontend", get_args(Frontend))
def test_each_recipe_serves_every_front_end(recipe: str, frontend: str) -> None:
    config = resolve_config(None, {**NEEDED, "frontend": frontend}, recipe=recipe)
    plain = TrainConfig(**{**NEEDED, "frontend": frontend})
    assert (config == plain) == (recipe == "paper")
    repeated = TrainConfig(**config.to_dict())
    assert repeated == config


def test_a_recipe_for_both_families_leaves_out_what_the_other_one_has_alone(tmp_path: Path) -> None:
    recipe = tmp_path / "both.yaml"
    recipe.write_text("time_masks: 2\nflip_polarity: true\ngain_db: 6\n")
    spectrogram = resolve_config(None, NEEDED, recipe=str(recipe))
    assert (spectrogram.time_masks, spectrogram.flip_polarity, spectrogram.gain_db) == (2, False, 6.0)
    waveform = resolve_config(None, {**NEEDED, "frontend": "waveform"}, recipe=str(recipe))
    assert (waveform.time_masks, waveform.flip_polarity, waveform.gain_db) == (0, True, 6.0)
    with pytest.raises(UserError, match="^--flip-polarity: is for a waveform front-end"):
        resolve_config(None, {**NEEDED, "flip_polarity": True}, recipe=str(recipe))


def test_a_recipe_gives_way_to_the_file_and_the_file_to_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("dropout: 0.1\nepochs: 7\nseed: 5\n")
    (tmp_path / "c.yaml").write_text("max_steps: 90\nseed: 6\nlearning_rate: 1e-4\n")
    config = resolve_config(
        str(tmp_path / "c.yaml"), {**NEEDED, "learning_rate": 1e-5}, recipe=str(tmp_path / "mine.yaml")
    )
    assert (config.dropout, config.seed, config.learning_rate) == (0.1, 6, 1e-5)
    assert (config.epochs, config.max_steps) == (0, 90)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\ndropuot: 0.2\n", "line 2: unknown field 'dropuot'; known are dataset, "),
        ("dropout: 2\n", "line 1: dropout: expected at least 0 and less than 1, received 2.0"),
        (
            "- 1\n",
            "expected fields with values, such as epochs: 10, received a list: ['1']; write some, or leave --recipe",
        ),
    ],
)
def test_what_a_recipe_says_wrong_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        resolve_config(None, NEEDED, recipe=str(tmp_path / "r.yaml"))
    assert str(refused.value).startswith(f"recipe {tmp_path / 'r.yaml'}: {words}")


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UserError, match="^--recipe: expected paper, small, large, or the path of a YAML file, received 'hug"
    ):
        resolve_config(None, NEEDED, recipe="huge")
    with pytest.raises(UserError, match="none.yaml: no such file"):
        resolve_config(None, NEEDED, recipe="none.yaml")
