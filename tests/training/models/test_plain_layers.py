"""A tagger that is rewritten in Keras's own layers computes the same."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.models.plain_layers import in_plain_layers
from training.models.tagger import ModelConfig, build_tagger


def _tagger(frontend: str, **choices: object) -> keras.Model:
    """A tagger whose batch norms and input statistics are no longer as they began."""
    patch = {"waveform": 20_000, "vgg": 70}.get(frontend, 40)
    config = ModelConfig(frontend, num_filt=2, dense_units=20, **choices)  # type: ignore[arg-type]
    model = build_tagger(config, tags=5, patch=patch)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        kind = weight.path.rpartition("/")[2]
        if kind == "gamma":  # some below zero, where the smallest number of a pool counts
            weight.assign(rng.choice([-1, 1], weight.shape) * rng.uniform(0.5, 1.5, weight.shape))
        elif kind in ("beta", "moving_mean", "mean"):
            weight.assign(rng.normal(scale=0.1, size=weight.shape))
        elif kind in ("moving_variance", "deviation"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.parametrize("frontend", ["spectrogram", "waveform", "musicnn", "vgg", "short-chunk"])
@pytest.mark.parametrize(
    "choices",
    [{}, {"residual_batch_norm": "per_channel", "normalize_input": True}],
    ids=["as published", "normalized"],
)
def test_it_computes_the_same_in_layers_of_keras(frontend: str, choices: dict[str, object]) -> None:
    model = _tagger(frontend, **choices)
    plain = in_plain_layers(model)
    assert {type(layer).__module__.partition(".")[0] for layer in plain.layers} == {"keras"}
    patches = np.random.default_rng(1).uniform(0, 3, (4, *model.inputs[0].shape[1:])).astype(np.float32)
    expected, outputs = model(patches, training=False), plain(patches, training=False)
    embedding = keras.ops.convert_to_numpy(expected["embedding"])
    assert np.ptp(embedding, axis=0).max() > 0.01, "a model that gives the same for all patches would show nothing"
    np.testing.assert_allclose(outputs["embedding"], embedding, atol=1e-4 * np.abs(embedding).max())
    np.testing.assert_allclose(outputs["scores"], keras.ops.sigmoid(expected["logits"]), atol=1e-4)


def test_a_half_precision_tagger_becomes_a_float32_one() -> None:
    half = build_tagger(ModelConfig("spectrogram", num_filt=1), tags=2, patch=20, dtype_policy="mixed_bfloat16")
    assert {layer.dtype_policy.name for layer in in_plain_layers(half).layers} == {"float32"}


def test_dropout_drops_in_training() -> None:
    plain = in_plain_layers(build_tagger(ModelConfig("spectrogram", num_filt=1, dropout=0.5), tags=2, patch=20))
    patches = np.random.default_rng(1).uniform(0, 3, (4, 20, 96)).astype(np.float32)
    first, second = (plain(patches, training=True)["embedding"].numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0.01


def test_a_layer_without_a_rule_is_refused() -> None:
    class Doubled(keras.layers.Layer):
        def call(self, inputs: object) -> object:
            return inputs * 2  # type: ignore[operator]

    inputs = keras.Input((3,))
    model = keras.Model(inputs, {"logits": Doubled()(inputs), "embedding": inputs})
    with pytest.raises(
        TypeError, match=r"Expected a layer that training\.models\.plain_layers can rewrite\. .*Doubled"
    ):
        in_plain_layers(model)
