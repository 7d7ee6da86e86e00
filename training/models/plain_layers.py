"""Rewrite a tagger in Keras's own layers, so that programs without this package can load it, train it and convert it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from training.models.dropout import StepDropout
from training.models.folded_convolution import FoldedConv1D
from training.models.fork import Fork
from training.models.image_convolution import ImageConv
from training.models.input_normalization import InputNormalization
from training.models.normalization import BatchNorm
from training.models.short_chunk import KERNEL, STRIDE, ImageWindows
from training.models.spectrogram import FrequencyWindows


def in_plain_layers(model: keras.Model) -> keras.Model:
    """The same tagger in float32, with the same weights, made only of layers that come with Keras.

    The layers of this package train faster and repeat bit for bit. In inference each of them equals one or two of
    Keras's own, except for rounding.

    Args:
        model: A tagger of `training.models`: a functional model from a patch to a dict of ``logits`` and ``embedding``.

    Returns:
        A model from the same input to a dict of ``scores``, float32 [batch, tags] from 0 to 1, and ``embedding``,
        float32 [batch, dense units]. Its layers with weights have the names of the given ones. Its dropout draws
        other masks.

    Raises:
        TypeError: The model has a layer of this package that this module cannot rewrite.
    """
    inputs = keras.Input(model.inputs[0].shape[1:], dtype="float32", name=model.inputs[0].name)
    rewritten = keras.models.clone_model(
        model, input_tensors=inputs, clone_function=lambda layer: layer, call_function=_Rewriting().called
    )
    logits, embedding = rewritten.output["logits"], rewritten.output["embedding"]
    scores = layers.Activation("sigmoid", name="scores", dtype="float32")(logits)
    return keras.Model(inputs, {"scores": scores, "embedding": embedding}, name=model.name)


class _Rewriting:
    """Calls, for each layer of a model in turn, what stands for it."""

    def __init__(self) -> None:
        self._operations = 0
        self._images: set[int] = set()  # ids of tensors that a convolution should read as images of one channel
        self._padded: set[int] = set()  # likewise, padded on each side and at a stride
        self._rules: dict[type, Callable[[Any, Any], Any]] = {
            BatchNorm: self._norm,
            FoldedConv1D: self._folded,
            Fork: lambda layer, signal: (signal,) * layer.copies,
            ImageConv: self._image_conv,
            FrequencyWindows: self._windows,
            ImageWindows: self._strided_windows,
            InputNormalization: self._normalization,
            StepDropout: self._dropout,
            layers.Conv2D: self._conv2d,
        }

    def called(self, layer: Any, *inputs: Any, **options: Any) -> Any:
        """The outputs that stand for those of a layer; `keras.models.clone_model` asks for them in order."""
        (signal,) = inputs
        rule = next((rule for kind, rule in self._rules.items() if isinstance(layer, kind)), None)
        if rule is not None:
            return rule(layer, signal)
        if not isinstance(layer, keras.Layer):
            return self._operation(layer)(signal, **options)
        if not type(layer).__module__.startswith("keras."):
            raise TypeError(f"Expected a layer that {__name__} can rewrite. Received: {type(layer)}")
        return _with_weights(type(layer).from_config({**layer.get_config(), "dtype": "float32"}), layer, signal)

    def _operation(self, operation: Any) -> Any:
        """A function of `keras.ops`. Keras numbers these over the whole process; here they are numbered in the model."""
        self._operations += 1
        kind = type(operation)
        return kind.from_config({**operation.get_config(), "name": f"{kind.__name__.lower()}_{self._operations}"})

    def _norm(self, layer: BatchNorm, signal: Any) -> Any:
        # One mean and one variance for all channels come from normalising over an axis of width 1.
        if layer.scalar:
            signal = layers.Reshape((*signal.shape[1:], 1), name=f"{layer.name}_in_one")(signal)
        new = layers.BatchNormalization(
            momentum=layer.momentum, epsilon=layer.epsilon, name=layer.name, dtype="float32"
        )
        outputs = _with_weights(new, layer, signal)
        if layer.scalar:
            outputs = layers.Reshape(outputs.shape[1:-1], name=f"{layer.name}_by_channel")(outputs)
        if layer.pool > 1:
            pool = layers.MaxPooling1D(layer.pool) if len(outputs.shape) == 3 else layers.MaxPooling2D((1, layer.pool))
            pool.name = f"{layer.name}_pool"
            outputs = pool(outputs)
        return (outputs, outputs, outputs) if layer.deferred else outputs  # nothing is left to be scaled and shifted

    def _folded(self, layer: FoldedConv1D, deferred: Any) -> Any:
        new = layers.Conv1D(
            layer.filters,
            layer.width,
            activation="relu",
            kernel_initializer=layer.kernel_initializer,
            kernel_regularizer=layer.kernel_regularizer,
            name=layer.name,
            dtype="float32",
        )
        return _with_weights(new, layer, deferred[0])

    def _image_conv(self, layer: ImageConv, deferred: Any) -> Any:
        image = layers.Reshape((*deferred[0].shape[1:], 1), name=f"{layer.name}_image")(deferred[0])
        if not layer.pad_mels:
            image = _padded_in_time(image, layer.width, layer.name)
        new = layers.Conv2D(
            layer.filters,
            (layer.width, layer.height),
            padding="same" if layer.pad_mels else "valid",
            activation="relu",
            kernel_initializer=layer.kernel_initializer,
            kernel_regularizer=layer.kernel_regularizer,
            name=layer.name,
            dtype="float32",
        )
        return _with_weights(new, layer, image)

    def _windows(self, layer: FrequencyWindows, signal: Any) -> Any:
        image = layers.Reshape((*signal.shape[1:], 1), name=layer.name)(signal)
        self._images.add(id(image))
        return image

    def _strided_windows(self, layer: ImageWindows, signal: Any) -> Any:
        image = layers.Reshape((*signal.shape[1:], 1), name=layer.name)(signal)
        padded = layers.ZeroPadding2D(1, name=f"{layer.name}_padding")(image)
        self._padded.add(id(padded))
        return padded

    def _conv2d(self, layer: keras.layers.Conv2D, signal: Any) -> Any:
        """A convolution over time whose channels are windows of mels is one over time and mels."""
        config = {**layer.get_config(), "dtype": "float32"}
        if id(signal) in self._images:
            width, height = config["kernel_size"][0], layer.kernel.shape[2]
            signal = _padded_in_time(signal, width, layer.name)
            config.update(kernel_size=(width, height), padding="valid")
        elif id(signal) in self._padded:
            config.update(kernel_size=(KERNEL, KERNEL), strides=(STRIDE, STRIDE))
        return _with_weights(layers.Conv2D.from_config(config), layer, signal)

    def _normalization(self, layer: InputNormalization, signal: Any) -> Any:
        mean, deviation = (weight.numpy().astype("float64") for weight in (layer.mean, layer.deviation))
        if layer.bands == 1:  # a waveform: all samples alike
            new = layers.Rescaling(1 / float(deviation[0]), -float(mean[0] / deviation[0]), name=layer.name)
        else:
            new = layers.Normalization(mean=mean.tolist(), variance=(deviation**2).tolist(), name=layer.name)
        return new(signal)

    def _dropout(self, layer: StepDropout, signal: Any) -> Any:
        return layers.Dropout(layer.rate, name=layer.name)(signal)


def _padded_in_time(image: Any, width: int, name: str) -> Any:
    """Padded in time but not in frequency: Keras's convolutions pad both or neither."""
    before = (width - 1) // 2
    return layers.ZeroPadding2D(((before, width - 1 - before), (0, 0)), name=f"{name}_padding")(image)


def _with_weights(new: keras.Layer, old: keras.Layer, signal: Any) -> Any:
    """Call a new layer, and give it the weights of an old one, which may have other shapes of the same size."""
    outputs = new(signal)
    new.set_weights([weight.numpy().reshape(mine.shape) for mine, weight in zip(new.weights, old.weights, strict=True)])
    return outputs
