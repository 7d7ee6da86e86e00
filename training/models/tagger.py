"""Builds the taggers of Pons et al., arXiv:1711.02520, "End-to-end learning for music audio tagging …"."""

from __future__ import annotations

import dataclasses

import keras

from training.models.backend import convolutional_backend, pooled_head
from training.models.blocks import Blocks
from training.models.config import ModelConfig, least_patch, require_positive
from training.models.dropout import set_dropout_step
from training.models.input_normalization import InputNormalization
from training.models.spectrogram import spectrogram_frontend
from training.models.waveform import waveform_frontend

__all__ = ["DTYPE_POLICIES", "ModelConfig", "build_tagger", "least_patch", "set_dropout_step"]

DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
# With fewer mels the smaller timbral filter, int(0.4 * mels) high, would be empty.
LEAST_MELS = 3


def build_tagger(
    config: ModelConfig,
    *,
    tags: int,
    patch: int,
    mels: int = 96,
    seed: int = 0,
    dtype_policy: str = "float32",
) -> keras.Model:
    """Builds a tagger with fresh weights.

    Under a strategy, call it in the strategy's scope. While training, call `set_dropout_step` before each
    step, and add the sum of ``model.losses`` (the weight decay) to the loss.

    Args:
        config: The front-end and its choices.
        tags: Number of outputs.
        patch: Length of the input: frames (spectrogram) or samples (waveform).
        mels: Mel bands of a frame. The waveform front-end ignores it.
        seed: Seed of the initial weights and the dropout.
        dtype_policy: One of `DTYPE_POLICIES`. It affects only computation: inputs, weights, the dense layers
            and both outputs stay float32. Keras's global policy has no effect.

    Returns:
        A model from float32 [batch, patch, mels] (spectrogram) or [batch, patch] (waveform) to a dict of
        ``logits``, float32 [batch, tags], and ``embedding``, float32 [batch, dense_units]. Scores are the
        sigmoid of the logits.

    Raises:
        ValueError: The patch is too short for the architecture, there are too few mels, or the dtype policy is unknown.

    Example:
        >>> model = build_tagger(ModelConfig("spectrogram"), tags=50, patch=938)
        >>> scores = keras.ops.sigmoid(model(logmel)["logits"])
    """
    require_positive("tags", tags)
    require_positive("patch", patch)
    require_positive("mels", mels)
    if dtype_policy not in DTYPE_POLICIES:
        raise ValueError(f"Expected dtype_policy to be one of {', '.join(DTYPE_POLICIES)}. Received: {dtype_policy!r}")
    _check_patch(config, patch)

    blocks = Blocks(seed, dtype_policy, config.l2, config.batch_norm_momentum, config.synchronized_batch_norm)
    if config.frontend == "spectrogram":
        if mels < LEAST_MELS:
            raise ValueError(f"Expected mels to be at least {LEAST_MELS}. Received: {mels}")
        inputs = keras.Input((patch, mels), dtype="float32", name="logmel")
        signal = InputNormalization(bands=mels, name="normalized")(inputs) if config.normalize_input else inputs
        channels = spectrogram_frontend(signal, blocks, num_filt=config.num_filt)
    else:
        inputs = keras.Input((patch,), dtype="float32", name="waveform")
        signal = InputNormalization(bands=1, name="normalized")(inputs) if config.normalize_input else inputs
        channels = waveform_frontend(signal, blocks, layers=config.waveform_layers)
    steps = convolutional_backend(channels, blocks, residual_batch_norm=config.residual_batch_norm)
    logits, embedding = pooled_head(
        steps,
        dataclasses.replace(blocks, dtype_policy="float32"),
        dense_units=config.dense_units,
        tags=tags,
        dropout=config.dropout,
    )
    return keras.Model(inputs, {"logits": logits, "embedding": embedding}, name=f"{config.frontend}_tagger")


def _check_patch(config: ModelConfig, patch: int) -> None:
    least = least_patch(config)
    if patch >= least:
        return
    if config.frontend == "spectrogram":
        what, unit = "the spectrogram front-end", "frames"
    else:
        what, unit = f"the waveform front-end with {config.waveform_layers} layers", "samples"
    raise ValueError(
        f"Expected a patch of at least {least:,} {unit}, the shortest that {what} can take. "
        f"Received: {patch:,} {unit}. Train on longer patches."
    )
