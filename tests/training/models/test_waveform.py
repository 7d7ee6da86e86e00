"""The layers of the waveform front-end and their outputs."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.models.tagger import ModelConfig, build_tagger, least_patch


@pytest.mark.parametrize("layers", [7, 9])
def test_the_least_patch_leaves_one_frame_and_one_sample_less_leaves_none(layers: int) -> None:
    config = ModelConfig("waveform", waveform_layers=layers)
    model = build_tagger(config, tags=5, patch=least_patch(config))
    assert model.get_layer(f"wave{layers}_norm").output.shape == (None, 8, 256)
    assert model.get_layer("backend3").output.shape == (None, 1, 512)
    samples = least_patch(config) - 1
    for layer in range(layers):
        samples = (samples - 3) // 3 + 1 if layer == 0 else (samples - 2) // 3
    assert samples == 7


def test_each_layer_is_convolution_then_relu_then_batch_norm_with_its_pool() -> None:
    model = build_tagger(ModelConfig("waveform"), tags=5, patch=20_000)
    names = [layer.name for layer in model.layers]
    order = [names.index(name) for name in ("wave3_conv", "wave3_norm", "wave4_conv")]
    assert order == list(range(order[0], order[0] + 3))
    assert [model.get_layer(f"wave{number}_norm").pool for number in range(1, 8)] == [1, 3, 3, 3, 3, 3, 3]
    assert model.get_layer("wave3_conv").activation is keras.activations.relu
    filters = [model.get_layer(f"wave{number}_conv").filters for number in range(1, 8)]
    assert filters == [64, 64, 64, 128, 128, 128, 256]


def test_the_first_layer_reads_each_sample_once() -> None:
    model = build_tagger(ModelConfig("waveform"), tags=5, patch=19_680)
    first = keras.Model(model.input, model.get_layer("wave1_conv").output)
    silence = np.zeros((1, 19_680), "float32")
    click = silence.copy()
    click[0, 300] = 1
    changed = np.flatnonzero(np.abs(first(click) - first(silence)).max(axis=(0, 2)))
    assert changed.tolist() == [100]
