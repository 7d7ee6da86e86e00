"""Builds the taggers: those of Pons et al., arXiv:1711.02520, their successors, and the short-chunk CNN of Won et al."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from training.models.backend import convolutional_backend, pooled_head
from training.models.blocks import Blocks
from training.models.config import Frontend, ModelConfig, family_of, least_patch, require_positive, vgg_least
from training.models.dropout import set_dropout_step
from training.models.input_normalization import InputNormalization
from training.models.musicnn import musicnn_frontend, musicnn_middle
from training.models.short_chunk import short_chunk_blocks, short_chunk_head
from training.models.spectrogram import spectrogram_frontend
from training.models.vgg import vgg_blocks, vgg_head
from training.models.waveform import waveform_frontend

__all__ = ["DTYPE_POLICIES", "ModelConfig", "build_tagger", "least_patch", "set_dropout_step"]

DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
# With fewer mels the smaller timbral filter, int(0.4 * mels) high, would be empty.
LEAST_MELS = 3
ANY_LENGTH: tuple[Frontend, ...] = ("spectrogram", "waveform")  # the paper's, whose graphs take any length


def build_tagger(
    config: ModelConfig,
    *,
    tags: int,
    patch: int | None,
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
        patch: Length of the input: frames, or samples (waveform). None for a spectrogram or waveform model whose input may
            have any length from `least_patch` on, another with each call; its weights are the same.
        mels: Mel bands of a frame. The waveform front-end ignores it.
        seed: Seed of the initial weights and the dropout.
        dtype_policy: One of `DTYPE_POLICIES`. It affects only computation: inputs, weights, the dense layers
            and both outputs stay float32. Keras's global policy has no effect.

    Returns:
        A model from float32 [batch, patch, mels], or [batch, patch] (waveform), to a dict of ``logits``, float32
        [batch, tags], and ``embedding``, float32 [batch, dense_units] (VGG: [batch, features of the last pool]). Scores
        are the sigmoid of the logits.

    Raises:
        ValueError: The patch is too short for the architecture or its front-end needs one, there are too few mels, or the
            dtype policy is unknown.

    Example:
        >>> model = build_tagger(ModelConfig("spectrogram"), tags=50, patch=938)
        >>> scores = keras.ops.sigmoid(model(logmel)["logits"])
    """
    require_positive("tags", tags)
    if patch is not None:
        require_positive("patch", patch)
    require_positive("mels", mels)
    if dtype_policy not in DTYPE_POLICIES:
        raise ValueError(f"Expected dtype_policy to be one of {', '.join(DTYPE_POLICIES)}. Received: {dtype_policy!r}")
    _check_patch(config, patch)

    least_mels = vgg_least(axis=1) if config.frontend == "vgg" else LEAST_MELS
    is_logmel = family_of(config.frontend) == "logmel"
    if is_logmel and mels < least_mels:
        raise ValueError(f"Expected mels to be at least {least_mels}. Received: {mels}")
    if is_logmel:
        inputs = keras.Input((patch, mels), dtype="float32", name="logmel")
    else:
        inputs = keras.Input((patch,), dtype="float32", name="waveform")
    normalization = InputNormalization(bands=mels if is_logmel else 1, name="normalized")
    signal = normalization(inputs) if config.normalize_input else inputs
    blocks = Blocks(seed, dtype_policy, config.l2, config.batch_norm_momentum, config.synchronized_batch_norm)
    logits, embedding = _network(config, signal, blocks, tags)
    return keras.Model(inputs, {"logits": logits, "embedding": embedding}, name=f"{config.frontend}_tagger")


def _network(config: ModelConfig, signal: Any, blocks: Blocks, tags: int) -> tuple[Any, Any]:
    """Logits and embedding for log-mel [batch, frames, mels] or a waveform [batch, samples]."""
    head = dataclasses.replace(blocks, dtype_policy="float32")
    dropout = config.dropout
    if config.frontend == "vgg":
        flat = vgg_blocks(signal, blocks, num_filt=config.num_filt, dropout=dropout / 2)
        return vgg_head(flat, head, tags=tags, dropout=dropout)
    if config.frontend == "short-chunk":
        pooled = short_chunk_blocks(signal, blocks, num_filt=config.num_filt)
        return short_chunk_head(pooled, head, dense_units=config.dense_units, tags=tags, dropout=dropout)
    if config.frontend == "musicnn":
        channels = musicnn_frontend(signal, blocks, num_filt=config.num_filt)
        steps = musicnn_middle(channels, blocks, num_filt=config.num_filt)
    else:
        if config.frontend == "spectrogram":
            channels = spectrogram_frontend(signal, blocks, num_filt=config.num_filt)
        else:
            channels = waveform_frontend(signal, blocks, layers=config.waveform_layers)
        steps = convolutional_backend(
            channels, blocks, filters=config.backend_filters, residual_batch_norm=config.residual_batch_norm
        )
    is_musicnn = config.frontend == "musicnn"
    return pooled_head(
        steps, head, dense_units=config.dense_units, tags=tags, dropout=dropout, normalize_pooled=is_musicnn
    )


def _check_patch(config: ModelConfig, patch: int | None) -> None:
    if patch is None:
        if config.frontend not in ANY_LENGTH:
            raise ValueError(
                f"Expected a patch for the {config.frontend} front-end. Received: None, which {' and '.join(ANY_LENGTH)} take."
            )
        return
    least = least_patch(config)
    if patch >= least:
        return
    if config.frontend == "waveform":
        what, unit = f"the waveform front-end with {config.waveform_layers} layers", "samples"
    else:
        what, unit = f"the {config.frontend} front-end", "frames"
    raise ValueError(
        f"Expected a patch of at least {least:,} {unit}, the shortest that {what} can take. "
        f"Received: {patch:,} {unit}. Train on longer patches."
    )
