"""The convolutions and the head that both models share."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.models.tagger import ModelConfig, build_tagger

CONFIG = ModelConfig("spectrogram", num_filt=2, backend_filters=24, dense_units=20)


@pytest.fixture
def model() -> keras.Model:
    return build_tagger(CONFIG, tags=5, patch=24)


def _inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 24, 96)).astype("float32")


def _outputs(model: keras.Model, *names: str) -> list[np.ndarray]:
    layers = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [np.asarray(output) for output in layers(_inputs())]


def test_without_their_branches_the_residual_blocks_pass_on_what_they_got(model: keras.Model) -> None:
    for name in ("backend2_norm", "backend3_norm"):
        model.get_layer(name).gamma.assign([0.0])
    first, last = _outputs(model, "backend1_norm", "backend3")
    assert np.array_equal(last, first.reshape(3, 9, 2, 24).max(axis=2))


def test_the_branches_add_to_what_they_got(model: keras.Model) -> None:
    first, branch, second, pool = _outputs(model, "backend1_norm", "backend2_norm", "backend2", "backend_pool")
    np.testing.assert_allclose(second, first + branch, rtol=1e-6)
    assert np.abs(branch).max() > 0
    assert np.array_equal(pool, second.reshape(3, 9, 2, 24).max(axis=2))


def test_the_head_reads_the_maximum_and_the_mean_over_time(model: keras.Model) -> None:
    steps, pooled = _outputs(model, "backend3", "pooled")
    np.testing.assert_allclose(pooled, np.concatenate([steps.max(axis=1), steps.mean(axis=1)], axis=1), rtol=1e-5)


@pytest.mark.parametrize(("kind", "entries"), [("scalar", 1), ("per_channel", 512)])
def test_batch_norm_after_the_residual_convolutions_is_of_the_kind_asked_for(kind: str, entries: int) -> None:
    config = ModelConfig("spectrogram", num_filt=2, residual_batch_norm=kind)  # type: ignore[arg-type]
    model = build_tagger(config, tags=5, patch=24)
    shapes = [tuple(model.get_layer(f"backend{number}_norm").gamma.shape) for number in (1, 2, 3)]
    assert shapes == [(512,), (entries,), (entries,)]
