"""The published taggers written the obvious way, one Keras layer after the other: the reference for training/models.

A timbral filter is a two-dimensional convolution over [frames, mels, 1] and a maximum over mels, as the paper draws it.
The back-end convolves only over time, the usual way to write it.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from training.models.config import (
    MUSICNN_FILTERS,
    SHORT_CHUNK_FILTERS,
    VGG_FILTERS,
    VGG_POOLS,
    WAVEFORM_FILTERS,
    ModelConfig,
)


def plain_tagger(config: ModelConfig, *, tags: int, patch: int, mels: int = 96) -> keras.Model:
    """The published model in float32, from [batch, patch, mels] or [batch, patch] to logits [batch, tags].

    Args:
        config: front-end, sizes, dropout, weight decay and momentum; other fields are ignored.
        tags: number of outputs.
        patch: length of a patch in frames, or samples (waveform).
        mels: number of mel bands; the waveform front-end ignores it.

    Returns:
        A model whose layers with weights have the same names as in `training.models.tagger.build_tagger`.
    """
    if config.frontend in ("musicnn", "vgg", "short-chunk"):
        inputs = keras.Input((patch, mels))
        if config.frontend == "short-chunk":
            hidden = _short_chunk(inputs, config)
        else:
            hidden = _musicnn(inputs, config, mels) if config.frontend == "musicnn" else _vgg(inputs, config)
        return keras.Model(inputs, layers.Dense(tags, name="logits", **_kernel(config))(hidden))
    if config.frontend == "spectrogram":
        inputs = keras.Input((patch, mels))
        steps = _spectrogram(inputs, config, mels)
    else:
        inputs = keras.Input((patch,))
        steps = _waveform(inputs, config)
    steps = _norm(_conv1d(steps, config.backend_filters, 7, config, "backend1_conv"), config, "backend1_norm")
    branch = _conv1d(steps, config.backend_filters, 7, config, "backend2_conv", padding="same")
    steps = layers.Add()([steps, _scalar_norm(branch, config, "backend2_norm")])
    steps = layers.MaxPooling1D(2)(steps)
    branch = _conv1d(steps, config.backend_filters, 7, config, "backend3_conv", padding="same")
    steps = layers.Add()([steps, _scalar_norm(branch, config, "backend3_norm")])

    pooled = layers.Concatenate()([layers.GlobalMaxPooling1D()(steps), layers.GlobalAveragePooling1D()(steps)])
    hidden = layers.Dropout(config.dropout)(pooled)
    hidden = layers.Dense(config.dense_units, activation="relu", name="dense", **_kernel(config))(hidden)
    hidden = layers.Dropout(config.dropout)(_norm(hidden, config, "embedding"))
    return keras.Model(inputs, layers.Dense(tags, name="logits", **_kernel(config))(hidden))


def load_weights_of(plain: keras.Model, model: keras.Model) -> None:
    """Copy the weights of a model from `build_tagger` into a plain model, layer by layer, by name."""
    for layer in plain.layers:
        if layer.weights:
            layer.set_weights(
                [
                    weight.numpy().reshape(mine.shape)
                    for mine, weight in zip(layer.weights, model.get_layer(layer.name).weights, strict=True)
                ]
            )


def _spectrogram(logmel: Any, config: ModelConfig, mels: int) -> Any:
    image = layers.Reshape((*logmel.shape[1:], 1))(logmel)
    branches = []
    for height in (mels * 90 // 100, mels * 40 // 100):
        for width, multiple in ((7, 1), (3, 2), (1, 4)):
            # Padded in time but not in frequency: Keras itself pads both or neither.
            padded = layers.ZeroPadding2D((width // 2, 0))(image)
            name = f"timbral_{width}x{height}"
            convolve = layers.Conv2D(
                multiple * config.num_filt, (width, height), activation="relu", name=f"{name}_conv", **_kernel(config)
            )
            channels = _norm(convolve(padded), config, f"{name}_norm")
            channels = layers.MaxPooling2D((1, mels - height + 1))(channels)
            branches.append(layers.Reshape((logmel.shape[1], multiple * config.num_filt))(channels))
    energy = keras.ops.mean(logmel, axis=2, keepdims=True)
    for width, multiple in ((165, 1), (128, 2), (64, 4), (32, 8)):
        name = f"temporal_{width}"
        channels = _conv1d(energy, multiple * config.num_filt, width, config, f"{name}_conv", padding="same")
        branches.append(_norm(channels, config, f"{name}_norm"))
    return layers.Concatenate()(branches)


def _waveform(samples: Any, config: ModelConfig) -> Any:
    steps = layers.Reshape((samples.shape[1], 1))(samples)
    first, *rest = WAVEFORM_FILTERS[config.waveform_layers]
    steps = _norm(_conv1d(steps, first, 3, config, "wave1_conv", strides=3), config, "wave1_norm")
    for number, filters in enumerate(rest, start=2):
        steps = _norm(_conv1d(steps, filters, 3, config, f"wave{number}_conv"), config, f"wave{number}_norm")
        steps = layers.MaxPooling1D(3)(steps)
    return steps


def _musicnn(logmel: Any, config: ModelConfig, mels: int) -> Any:
    """All of musicnn but its last layer."""
    timbral, temporal, middle = (MUSICNN_FILTERS[name] * config.num_filt // 16 for name in MUSICNN_FILTERS)
    image = _norm(layers.Reshape((*logmel.shape[1:], 1))(logmel), config, "input_norm")
    sizes = [(f"timbral_{mels * p // 100}", timbral, 7, mels * p // 100) for p in (40, 70)]
    sizes += [(f"temporal_{width}", temporal, width, 1) for width in (128, 64, 32)]
    branches = []
    for name, filters, width, height in sizes:
        padded = layers.ZeroPadding2D((((width - 1) // 2, width // 2), (0, 0)))(image)
        convolve = layers.Conv2D(filters, (width, height), activation="relu", name=f"{name}_conv", **_kernel(config))
        channels = _norm(convolve(padded), config, f"{name}_norm")
        channels = layers.MaxPooling2D((1, mels - height + 1))(channels)
        branches.append(layers.Reshape((logmel.shape[1], filters))(channels))
    steps = layers.Concatenate()(branches)
    kept = [steps]
    for number in (1, 2, 3):
        branch = _norm(
            _conv1d(steps, middle, 7, config, f"middle{number}_conv", padding="same"), config, f"middle{number}_norm"
        )
        steps = branch if number == 1 else layers.Add()([steps, branch])
        kept.append(steps)
    every = layers.Concatenate()(kept)
    pooled = layers.Concatenate()([layers.GlobalMaxPooling1D()(every), layers.GlobalAveragePooling1D()(every)])
    hidden = layers.Dropout(config.dropout)(_norm(pooled, config, "pooled_norm"))
    hidden = layers.Dense(config.dense_units, activation="relu", name="dense", **_kernel(config))(hidden)
    return layers.Dropout(config.dropout)(_norm(hidden, config, "embedding"))


def _vgg(logmel: Any, config: ModelConfig) -> Any:
    """All of VGG but its last layer."""
    image = _norm(layers.Reshape((*logmel.shape[1:], 1))(logmel), config, "input_norm")
    filters = VGG_FILTERS * config.num_filt // 16
    for number, (size, strides) in enumerate(VGG_POOLS, start=1):
        convolve = layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=f"vgg{number}_conv", **_kernel(config)
        )
        image = layers.MaxPooling2D(size, strides=strides)(_norm(convolve(image), config, f"vgg{number}_norm"))
        image = layers.Dropout(config.dropout if number == len(VGG_POOLS) else config.dropout / 2)(image)
    return layers.Flatten()(image)


def _short_chunk(logmel: Any, config: ModelConfig) -> Any:
    """All of the short-chunk CNN but its last layer."""

    def convolve(image: Any, filters: int, name: str, strides: int) -> Any:
        padded = layers.ZeroPadding2D(1)(image)
        return layers.Conv2D(filters, 3, strides=strides, use_bias=False, name=name, **_kernel(config))(padded)

    image = _norm(layers.Reshape((*logmel.shape[1:], 1))(logmel), config, "input_norm")
    for number, published in enumerate(SHORT_CHUNK_FILTERS, start=1):
        filters, name = published * config.num_filt // 16, f"chunk{number}"
        branch = layers.ReLU()(_norm(convolve(image, filters, f"{name}_first_conv", 2), config, f"{name}_first_norm"))
        branch = _norm(convolve(branch, filters, f"{name}_second_conv", 1), config, f"{name}_second_norm")
        straight = _norm(convolve(image, filters, f"{name}_shortcut_conv", 2), config, f"{name}_shortcut_norm")
        image = layers.ReLU()(layers.Add()([straight, branch]))
    hidden = layers.GlobalMaxPooling2D()(image)
    hidden = layers.Dense(config.dense_units, name="dense", **_kernel(config))(hidden)
    return layers.Dropout(config.dropout)(layers.ReLU()(_norm(hidden, config, "dense_norm")))


def _conv1d(steps: Any, filters: int, width: int, config: ModelConfig, name: str, **options: Any) -> Any:
    return layers.Conv1D(filters, width, activation="relu", name=name, **options, **_kernel(config))(steps)


def _norm(channels: Any, config: ModelConfig, name: str) -> Any:
    return layers.BatchNormalization(momentum=config.batch_norm_momentum, name=name)(channels)


def _scalar_norm(steps: Any, config: ModelConfig, name: str) -> Any:
    """Batch norm with one mean and one variance for all channels: it runs over an axis of width 1."""
    normed = _norm(layers.Reshape((*steps.shape[1:], 1))(steps), config, name)
    return layers.Reshape(steps.shape[1:])(normed)


def _kernel(config: ModelConfig) -> dict[str, Any]:
    regularizer = keras.regularizers.L2(config.l2 / 2) if config.l2 else None
    return {"kernel_initializer": "he_normal", "kernel_regularizer": regularizer}
