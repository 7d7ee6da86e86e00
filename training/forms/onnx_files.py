"""Write a tagger as two ONNX models, one for waveforms of any length and one for patches."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from schemas.features import LogMelSpec
from schemas.model_calibration import Calibration
from schemas.model_forms import MARKERS, ONNX_PATCHES_NAME
from training.forms.canonical_onnx import canonical_model
from training.forms.frozen import FrozenTagger
from training.forms.portable_graph import PortableTagger, convolved_power
from training.forms.trial import Outputs, require_alike, trial_patches, trial_waveform

OPSET = 17  # of 2022, which onnxruntime runs since 1.12


def write_onnx(
    folder: str, plain: keras.Model, spec: LogMelSpec | None, calibration: Calibration | None = None
) -> None:
    """Write model.onnx and patches.onnx, once onnxruntime has run both.

    Args:
        folder: an existing folder.
        plain: a tagger from `training.models.plain_layers.in_plain_layers`.
        spec: the log-mel spec of a spectrogram model; None for a waveform model.
        calibration: of the scores of waveforms, if they are calibrated.

    Raises:
        TagscaleError: onnxruntime gives other scores than the tagger.
    """
    tagger = FrozenTagger(plain)
    portable = PortableTagger(tagger, spec, convolved_power, calibration)
    waveform = tf.TensorSpec([None, None], tf.float32, name="waveform")
    patches = tf.TensorSpec([None, *tagger.patch_shape], tf.float32, name="patches")
    _write(os.path.join(folder, MARKERS["onnx"]), portable.of_waveform, waveform, ("batch", "samples"))
    _write(os.path.join(folder, ONNX_PATCHES_NAME), portable.of_patches, patches, ("batch", *tagger.patch_shape))
    for name, given, function in (
        (MARKERS["onnx"], {"waveform": trial_waveform(tagger.patch_shape, spec)}, portable.of_waveform),
        (ONNX_PATCHES_NAME, {"patches": trial_patches(tagger.patch_shape)}, portable.of_patches),
    ):
        path = os.path.join(folder, name)
        require_alike(path, _run(path, given), function(*map(tf.constant, given.values())))


def _write(path: str, function: Callable[[Any], dict[str, Any]], spec: Any, sizes: tuple[str | int, ...]) -> None:
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(tf.function(function), [spec], opset=OPSET)
    for size, name in zip(model.graph.input[0].type.tensor_type.shape.dim, sizes, strict=True):
        if isinstance(name, str):
            size.dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = str(sizes[0])
    with open(path, "wb") as file:
        file.write(canonical_model(model).SerializeToString(deterministic=True))


def _run(path: str, given: dict[str, np.ndarray[Any, Any]]) -> Outputs:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores, embedding = session.run(["scores", "embedding"], given)
    return {"scores": scores, "embedding": embedding}
