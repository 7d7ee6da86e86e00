from __future__ import annotations

import typing
from typing import Any

import pytest

from schemas.console.errors import UserError
from training.config import TrainConfig

NEEDED = {"dataset": "data", "label_set": "mine", "frontend": "spectrogram"}


def test_the_defaults_are_the_authors_recipe() -> None:
    config = TrainConfig(**NEEDED)
    assert (config.patch, config.learning_rate, config.dropout, config.batch_size) == (938, 1e-3, 0.5, 32)
    assert (config.plateau_epochs, config.l2, config.num_filt, config.dense_units) == (75, 1e-5, 16, 500)
    assert config.residual_batch_norm == "scalar"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, received 0"),
        ({"batch_size": 2.5}, "batch_size: expected int, received 2.5"),
        (
            {"frontend": "mel"},
            "frontend: expected spectrogram or waveform or musicnn or vgg or short-chunk, received 'mel'",
        ),
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


def test_a_number_of_steps_stands_in_place_of_epochs() -> None:
    config = TrainConfig(**NEEDED, max_steps=500)
    assert (config.epochs, config.max_steps) == (0, 500)
    assert TrainConfig(**config.to_dict()) == config


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, received 0; only a run with max_steps has no number of epochs"),
        ({"patches_per_track": 5}, "batch_size: expected a multiple of patches_per_track 5, received 32"),
        ({"accumulate": 5}, "batch_size: expected a multiple of accumulate 5, received 32"),
        ({"accumulate": 0}, "accumulate: expected at least 1, received 0"),
        ({"max_steps": -1}, "max_steps: expected at least 0, received -1"),
        (
            {"epochs": 5, "max_steps": 9},
            "epochs: says in epochs what max_steps says in steps, received 5 and 9; leave one",
        ),
        (
            {"validate_every": 2, "validate_every_steps": 9},
            "validate_every: says in epochs what validate_every_steps says",
        ),
        ({"stop_epochs": 2, "stop_steps": 9, "validate_every_steps": 3}, "stop_epochs: says in epochs what stop_steps"),
        (
            {"stop_steps": 9},
            "stop_steps: counts the steps between validations every so many steps, received 9; give valid",
        ),
        ({"plateau_steps": 9}, "plateau_steps: counts the steps between validations every so many steps"),
        (
            {"plateau_steps": 9, "plateau_epochs": 5, "validate_every_steps": 3},
            "plateau_epochs: says in epochs what pl",
        ),
        (
            {"schedule": "cosine", "plateau_steps": 9, "validate_every_steps": 3},
            "plateau_steps: a cosine has no plateaus",
        ),
        (
            {"schedule": "cosine", "stop_steps": 9, "validate_every_steps": 3},
            "stop_steps: a cosine ends with the last step",
        ),
        (
            {"schedule": "cosine", "plateau_rule": "published"},
            "plateau_rule: a cosine has no plateaus, received published",
        ),
    ],
)
def test_epochs_and_steps_that_contradict_each_other_are_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        TrainConfig(**NEEDED, **fields)
