"""The settings of a tagger that are allowed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from training.models.config import ModelConfig, least_patch


@pytest.mark.parametrize(
    "wrong",
    [
        {"frontend": "cqt"},
        {"num_filt": 0},
        {"num_filt": 2.5},
        {"dense_units": -1},
        {"waveform_layers": 8},
        {"residual_batch_norm": "none"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": "half"},
        {"l2": -1e-5},
        {"l2": float("nan")},
        {"synchronized_batch_norm": "yes"},
    ],
    ids=str,
)
def test_an_unknown_value_is_refused_with_what_was_expected_and_received(wrong: dict[str, Any]) -> None:
    options = {"frontend": "spectrogram", **wrong}
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=rf"Expected {name} .*Received: ") as error:
        ModelConfig(**options)
    assert repr(value) in str(error.value)


def test_the_least_patches_are_those_of_the_architecture() -> None:
    assert least_patch(ModelConfig("spectrogram")) == 8
    assert least_patch(ModelConfig("waveform")) == 19_680
    assert least_patch(ModelConfig("waveform", waveform_layers=9)) == 177_144


def test_checking_a_config_imports_no_keras() -> None:
    code = "import sys, training.models.config; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
