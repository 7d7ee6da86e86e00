"""The seeds, the initial weights and the weight decay of the layers."""

from __future__ import annotations

import numpy as np

from training.models.blocks import derive_seed
from training.models.tagger import ModelConfig, build_tagger


def test_a_seed_follows_from_the_seed_and_the_name_in_any_process() -> None:
    assert derive_seed(0, "dense") == 17_927_820
    assert derive_seed(1, "dense") != derive_seed(0, "dense") != derive_seed(0, "logits")


def test_kernels_begin_as_he_describes() -> None:
    kernel = np.asarray(build_tagger(ModelConfig("spectrogram"), tags=5, patch=8).get_layer("backend1_conv").kernel)
    deviation = np.sqrt(2 / (7 * 464))
    np.testing.assert_allclose(kernel.std(), deviation, rtol=0.01)
    assert np.abs(kernel).max() < 2.3 * deviation  # truncated at two deviations of the normal before truncation


def test_weight_decay_is_half_the_squares_of_every_kernel_and_of_nothing_else() -> None:
    model = build_tagger(ModelConfig("spectrogram", num_filt=2, l2=1e-3), tags=5, patch=8)
    kernels = [weight for weight in model.trainable_weights if weight.name == "kernel"]
    expected = 1e-3 * sum(np.square(np.asarray(kernel, "float64")).sum() / 2 for kernel in kernels)
    assert len(kernels) == len(model.losses) == 15
    np.testing.assert_allclose(sum(float(loss) for loss in model.losses), expected, rtol=1e-5)


def test_no_weight_decay_means_no_losses() -> None:
    assert build_tagger(ModelConfig("spectrogram", num_filt=2, l2=0), tags=5, patch=8).losses == []
