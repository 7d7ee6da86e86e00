"""The settings of a tagger that are allowed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from training.models.config import ModelConfig, least_patch, vgg_frames


@pytest.mark.parametrize(
    "wrong",
    [
        {"frontend": "cqt"},
        {"num_filt": 0},
        {"num_filt": 2.5},
        {"dense_units": -1},
        {"dense_units": 1.5},
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
    assert least_patch(ModelConfig("musicnn")) == least_patch(ModelConfig("short-chunk")) == 1
    assert least_patch(ModelConfig("vgg")) == 66
    assert [vgg_frames(frames) for frames in (66, 187, 188, 938)] == [1, 2, 2, 14]


def test_a_dense_layer_has_its_published_width_unless_another_is_given() -> None:
    widths = [ModelConfig(frontend).dense_units for frontend in ("spectrogram", "waveform", "musicnn", "short-chunk")]  # type: ignore[arg-type]
    assert widths == [500, 500, 200, 512]
    assert ModelConfig("musicnn", dense_units=500).dense_units == 500


def test_checking_a_config_imports_no_keras() -> None:
    code = "import sys, training.models.config; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
