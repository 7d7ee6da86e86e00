"""The part of the input that each branch of the spectrogram front-end sees."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.models.spectrogram import FrequencyWindows
from training.models.tagger import ModelConfig, build_tagger

FRAMES = 220
TIMBRAL = ["timbral_7x86", "timbral_3x86", "timbral_1x86", "timbral_7x38", "timbral_3x38", "timbral_1x38"]
TEMPORAL = ["temporal_165_norm", "temporal_128_norm", "temporal_64_norm", "temporal_32_norm"]


@pytest.fixture(scope="module")
def branches() -> keras.Model:
    model = build_tagger(ModelConfig("spectrogram", num_filt=2), tags=5, patch=FRAMES)
    return keras.Model(model.input, {name: model.get_layer(name).output for name in (*TIMBRAL, *TEMPORAL)})


def _noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, FRAMES, 96)).astype("float32")


def _changed(branches: keras.Model, before: np.ndarray, after: np.ndarray) -> dict[str, np.ndarray]:
    """The frames at which the output of each branch changes, counted from frame 110."""
    outputs = zip(branches(before).items(), branches(after).values(), strict=True)
    return {name: np.flatnonzero(np.abs(a - b).max(axis=(0, 2)) > 1e-6) - 110 for (name, a), b in outputs}


def test_a_branch_sees_as_many_frames_as_its_name_says(branches: keras.Model) -> None:
    before = _noise()
    after = before.copy()
    after[:, 110] = 10 * _noise(1)[:, 110] + 10  # loud enough to be the maximum over frequency
    changed = _changed(branches, before, after)
    # A kernel of even width reaches one frame further ahead than back, so a change shows one frame further back.
    reach = {"165": (-82, 82), "128": (-64, 63), "64": (-32, 31), "32": (-16, 15)}
    for name in TEMPORAL:
        assert (changed[name].min(), changed[name].max()) == reach[name.split("_")[1]], name
    for name in TIMBRAL:
        half = int(name.split("_")[1].split("x")[0]) // 2
        assert (changed[name].min(), changed[name].max()) == (-half, half), name


def test_temporal_branches_see_only_the_mean_over_mels(branches: keras.Model) -> None:
    before = _noise()
    after = np.ascontiguousarray(before[:, :, ::-1])
    changed = _changed(branches, before, after)
    assert all(len(changed[name]) == 0 for name in TEMPORAL)
    assert all(len(changed[name]) == FRAMES for name in TIMBRAL)


def test_a_timbral_branch_knows_a_shape_wherever_it_lies_in_frequency(branches: keras.Model) -> None:
    low, high = np.zeros((2, 1, FRAMES, 96), "float32")
    low[:, :, 40:50] = _noise()[:, :, :10]
    high[:, :, 45:55] = low[:, :, 40:50]
    changed = _changed(branches, low, high)
    assert all(len(changed[name]) == 0 for name in TIMBRAL if name.endswith("x38"))


def test_windows_and_a_convolution_over_time_are_a_two_dimensional_filter() -> None:
    inputs, kernel = _noise(), np.random.default_rng(1).normal(size=(7, 38, 1, 4)).astype("float32")
    padded = np.pad(inputs, ((0, 0), (3, 3), (0, 0)))[..., None]
    plain = keras.ops.conv(padded, kernel, padding="valid")
    by_windows = keras.ops.conv(FrequencyWindows(38)(inputs), np.swapaxes(kernel, 1, 2), padding="same")
    assert by_windows.shape == plain.shape == (1, FRAMES, 59, 4)
    np.testing.assert_allclose(by_windows, plain, atol=1e-4)


def test_a_timbral_branch_is_the_maximum_of_batch_norm_over_all_of_frequency() -> None:
    model = build_tagger(ModelConfig("spectrogram", num_filt=2), tags=5, patch=24)
    norm = model.get_layer("timbral_3x38_norm")
    norm.gamma.assign([1.5, -0.5, 0.0, 2.0])
    norm.beta.assign([0.1, 0.2, 0.3, 0.4])
    names = ("timbral_3x38_conv", "timbral_3x38")
    each, largest = keras.Model(model.input, [model.get_layer(name).output for name in names])(_noise()[:, :24])
    normed = np.asarray(each) / np.sqrt(1 + norm.epsilon) * norm.gamma.numpy() + norm.beta.numpy()
    np.testing.assert_allclose(largest, np.max(normed, axis=2), rtol=1e-5, atol=1e-5)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected height .*Received: 0"):
        FrequencyWindows(0)
