"""The size, the outputs, the precision and the weights of the whole model."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import training.models
from training.models.config import Frontend
from training.models.tagger import ModelConfig, build_tagger, least_patch, set_dropout_step

ROOT = Path(__file__).parents[3]
SMALL = ModelConfig("spectrogram", num_filt=2, dense_units=20)
MUSICNN = ModelConfig("musicnn", num_filt=1, dense_units=20)
OTHERS = [MUSICNN, ModelConfig("vgg", num_filt=1), ModelConfig("short-chunk", num_filt=1, dense_units=20)]
CONFIGS = [SMALL, ModelConfig("waveform", dense_units=20), *OTHERS]


def _inputs(config: ModelConfig, batch: int = 4, seed: int = 0) -> np.ndarray:
    shape = (batch, 20_000) if config.frontend == "waveform" else (batch, 66 if config.frontend == "vgg" else 24, 96)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _build(config: ModelConfig, **options: object) -> keras.Model:
    return build_tagger(config, tags=5, patch=_inputs(config).shape[1], **options)  # type: ignore[arg-type]


def _sizes(model: keras.Model) -> tuple[int, int]:
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return trainable, model.count_params() - trainable


@pytest.mark.parametrize(
    ("config", "tags", "trainable", "non_trainable"),
    [
        (ModelConfig("spectrogram"), 50, 5_924_154, 2_956),
        (ModelConfig("spectrogram"), 139, 5_968_743, 2_956),
        (ModelConfig("spectrogram", num_filt=8), 50, 5_067_642, 2_492),
        (ModelConfig("waveform"), 50, 5_377_082, 3_692),
        (ModelConfig("waveform", waveform_layers=9), 50, 5_476_154, 4_204),
        (ModelConfig("musicnn"), 50, 787_159, 4_920),
        # The published code less the biases before its batch norms, counted by hand.
        (ModelConfig("short-chunk"), 50, 12_098_868, 11_778),
    ],
)
def test_the_models_have_the_published_parameter_counts(
    config: ModelConfig, tags: int, trainable: int, non_trainable: int
) -> None:
    model = build_tagger(config, tags=tags, patch=least_patch(config))
    assert _sizes(model) == (trainable, non_trainable)


@pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])
def test_batch_norm_per_channel_adds_2044_weights_of_either_kind(frontend: str) -> None:
    scalar = ModelConfig(frontend)  # type: ignore[arg-type]
    per_channel = ModelConfig(frontend, residual_batch_norm="per_channel")  # type: ignore[arg-type]
    before, after = (_sizes(build_tagger(config, tags=50, patch=20_000)) for config in (scalar, per_channel))
    assert (after[0] - before[0], after[1] - before[1]) == (2_044, 2_044)


def test_the_shapes_of_a_15_s_spectrogram_are_those_of_the_paper() -> None:
    model = build_tagger(ModelConfig("spectrogram"), tags=50, patch=938)
    names = ["frontend", "backend1_norm", "backend2", "backend_pool", "backend3", "pooled", "dense", "logits"]
    shapes = [model.get_layer(name).output.shape[1:] for name in names]
    assert shapes == [(938, 464), (932, 512), (932, 512), (466, 512), (466, 512), (1024,), (500,), (50,)]
    assert model.input_shape == (None, 938, 96)


def test_the_shapes_of_a_15_s_waveform_are_those_of_the_paper() -> None:
    model = build_tagger(ModelConfig("waveform"), tags=50, patch=240_000)
    assert model.input_shape == (None, 240_000)
    assert model.get_layer("wave7_norm").output.shape == (None, 108, 256)
    outputs = {name: output.shape for name, output in model.output.items()}
    assert outputs == {"logits": (None, 50), "embedding": (None, 500)}


def test_a_longer_patch_or_other_mels_change_no_weight_of_the_back_end() -> None:
    model = build_tagger(SMALL, tags=5, patch=40, mels=64)
    assert model.get_layer("timbral_7x57_conv").kernel.shape == (7, 1, 57, 2)
    assert model.get_layer("timbral_1x25_conv").kernel.shape == (1, 1, 25, 8)
    assert model.get_layer("backend1_conv").kernel.shape == (7, 58, 512)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.frontend)
def test_gradients_reach_every_trainable_weight(config: ModelConfig) -> None:
    model = _build(config)
    with tf.GradientTape() as tape:
        logits = model(_inputs(config), training=True)["logits"]
        loss = tf.reduce_mean(tf.square(logits - 1.0))
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.frontend)
def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(config: ModelConfig) -> None:
    first = _build(config, seed=3).get_weights()
    keras.random.normal((7,))
    _build(SMALL, seed=4)
    second, other = _build(config, seed=3).get_weights(), _build(config, seed=5).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) == (a.ndim == 1) for a, b in zip(first, other, strict=True))


def test_no_two_layers_begin_with_the_same_numbers() -> None:
    kernels = [layer.kernel for layer in build_tagger(SMALL, tags=5, patch=8).layers if hasattr(layer, "kernel")]
    assert len(kernels) == 15
    assert len({float(np.ravel(kernel)[0]) for kernel in kernels}) == 15


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.frontend)
def test_mixed_precision_ends_in_float32_and_touches_no_global_state(config: ModelConfig, policy: str) -> None:
    before = keras.config.dtype_policy().name
    exact, mixed = _build(config), _build(config, dtype_policy=policy)
    assert keras.config.dtype_policy().name == before
    first = next(layer for layer in mixed.layers if layer.name.endswith("_conv"))
    assert first.compute_dtype == policy.removeprefix("mixed_")
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    expected, outputs = exact(_inputs(config)), mixed(_inputs(config))
    for name in ("logits", "embedding"):
        assert outputs[name].dtype == tf.float32
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(outputs[name], expected[name], atol=0.05 * scale)
    assert mixed(_inputs(config), training=True)["logits"].dtype == tf.float32


def test_the_embedding_is_what_the_last_layer_reads() -> None:
    model = _build(SMALL)
    outputs, last = model(_inputs(SMALL)), model.get_layer("logits")
    logits = np.asarray(outputs["embedding"]) @ np.asarray(last.kernel) + np.asarray(last.bias)
    np.testing.assert_allclose(outputs["logits"], logits, rtol=1e-5, atol=1e-5)


def test_a_training_step_is_a_function_of_its_number() -> None:
    model = _build(SMALL)

    @tf.function
    def logits(step: tf.Tensor) -> tf.Tensor:
        set_dropout_step(model, step)
        return model(_inputs(SMALL), training=True)["logits"]

    first, other, again = (logits(tf.constant(step)).numpy() for step in (7, 8, 7))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert logits.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("config", "patch", "words"),
    [
        (ModelConfig("spectrogram"), 7, "at least 8 frames.*Received: 7 frames"),
        (ModelConfig("waveform"), 19_679, "at least 19,680 samples.*7 layers.*Received: 19,679 samples"),
        (ModelConfig("waveform", waveform_layers=9), 160_000, "at least 177,144 samples.*9 layers"),
        (ModelConfig("vgg"), 65, "at least 66 frames.*vgg.*Received: 65 frames"),
    ],
)
def test_a_patch_too_short_is_refused_in_plain_words(config: ModelConfig, patch: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_tagger(config, tags=5, patch=patch)


@pytest.mark.parametrize(
    ("config", "lengths", "row"),
    [(SMALL, (8, 41), (12,)), (ModelConfig("waveform", dense_units=8), (19_680, 30_001), ())],
)
def test_a_model_without_a_patch_scores_any_length_as_one_made_for_it(
    config: ModelConfig, lengths: tuple[int, ...], row: tuple[int, ...]
) -> None:
    sizes = {"mels": row[0]} if row else {}
    any_length = build_tagger(config, tags=3, patch=None, **sizes)
    for length in lengths:
        signal = np.random.default_rng(length).normal(size=(2, length, *row)).astype(np.float32)
        one = build_tagger(config, tags=3, patch=length, **sizes)
        one.set_weights(any_length.get_weights())
        for name, values in one(signal).items():
            np.testing.assert_allclose(any_length(signal)[name], values, rtol=1e-5, atol=1e-6)


def test_a_front_end_that_needs_a_patch_says_so() -> None:
    with pytest.raises(ValueError, match="Expected a patch for the vgg front-end.*spectrogram and waveform take"):
        build_tagger(ModelConfig("vgg"), tags=5, patch=None)


@pytest.mark.parametrize("wrong", [{"tags": 0}, {"mels": 2}, {"patch": 0}, {"dtype_policy": "int8"}], ids=str)
def test_an_impossible_model_is_refused(wrong: dict[str, object]) -> None:
    (name, _), *_ = wrong.items()
    with pytest.raises(ValueError, match=f"Expected {name} .*Received"):
        build_tagger(SMALL, **{"tags": 5, "patch": 24, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.frontend)
def test_saved_weights_give_the_same_scores(config: ModelConfig, tmp_path: Path) -> None:
    model, other = _build(config), _build(config, seed=1)
    model(_inputs(config), training=True)  # moves the statistics of batch norm
    model.save_weights(tmp_path / "tagger.weights.h5")
    assert not np.array_equal(model(_inputs(config))["logits"], other(_inputs(config))["logits"])
    other.load_weights(tmp_path / "tagger.weights.h5")
    assert np.array_equal(model(_inputs(config))["logits"], other(_inputs(config))["logits"])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.frontend)
def test_a_saved_keras_model_comes_back_whole(config: ModelConfig, tmp_path: Path) -> None:
    model = _build(config, dtype_policy="mixed_bfloat16")
    model.save(tmp_path / "tagger.keras")
    loaded = keras.models.load_model(tmp_path / "tagger.keras")
    for learning in (False, True):
        for each in (model, loaded):
            set_dropout_step(each, 11)
        outputs = [each(_inputs(config), training=learning)["logits"] for each in (model, loaded)]
        assert np.array_equal(*outputs)


def test_the_models_import_no_backend_of_their_own() -> None:
    for path in Path(training.models.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"tensorflow", "jax", "torch"}, path.name


ON_JAX = """
import sys
import numpy as np
from training.models.tagger import *
folder, *frontends = sys.argv[1:]
for frontend in frontends:
    with np.load(f"{folder}/{frontend}.npz") as given:
        inputs, expected = given["inputs"], given["logits"]
        weights = [given[f"weight_{number}"] for number in range(len(given.files) - 2)]
    model = build_tagger(ModelConfig(frontend, num_filt=2), tags=5, patch=inputs.shape[1])
    model.set_weights(weights)
    np.testing.assert_allclose(np.asarray(model(inputs)["logits"]), expected, rtol=1e-4, atol=1e-4, err_msg=frontend)
    drawn = []
    for step in (1, 2, 1):
        set_dropout_step(model, step)
        drawn.append(np.asarray(model(inputs, training=True)["logits"]))
    assert np.array_equal(drawn[0], drawn[2]) and not np.array_equal(drawn[0], drawn[1]), frontend
"""


@pytest.mark.slow
def test_the_models_score_the_same_on_the_jax_backend(tmp_path: Path) -> None:
    shapes: dict[Frontend, tuple[int, ...]] = {"spectrogram": (2, 24, 96), "waveform": (2, 19_680)}
    for frontend, shape in shapes.items():
        model = build_tagger(ModelConfig(frontend, num_filt=2), tags=5, patch=shape[1])
        rng = np.random.default_rng(0)
        # Statistics and biases get values like those after training, so that each of them matters.
        model.set_weights([weight.numpy() + rng.uniform(0, 0.1, weight.shape) for weight in model.weights])
        inputs = rng.normal(size=shape).astype(np.float32)
        weights = {f"weight_{number}": weight.numpy() for number, weight in enumerate(model.weights)}
        np.savez(tmp_path / f"{frontend}.npz", inputs=inputs, logits=model(inputs)["logits"].numpy(), **weights)
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", ON_JAX, str(tmp_path), *shapes]
    subprocess.run(command, check=True, timeout=300, env=environment, cwd=ROOT)


LEARNS_ON_JAX = """
import sys
from benchmarks.training_step_jax import training_step
for frontend, policy in zip(sys.argv[1::2], sys.argv[2::2]):
    step, *_ = training_step(frontend, 1.3, 2, policy)
    first, last = step(1), step(60)
    assert last < 0.6 * first, (frontend, first, last)
"""


@pytest.mark.slow
def test_a_model_learns_a_batch_by_heart_on_the_jax_backend() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", LEARNS_ON_JAX, "spectrogram", "mixed_bfloat16"]
    subprocess.run(command, check=True, timeout=300, env=environment, cwd=ROOT)
