"""Write a tagger as a LiteRT (TensorFlow Lite) model that takes waveforms of any length."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.features import LogMelSpec
from schemas.model_calibration import Calibration
from schemas.model_forms import MARKERS, Weights
from training.forms.frozen import FrozenTagger
from training.forms.portable_graph import PortableTagger, fourier_power
from training.forms.trial import FARTHEST, Outputs, require_alike, trial_waveform

# Between a converted model and its original, relative to the largest value, for noise and untrained weights too.
_FARTHEST: dict[Weights, float] = {"float32": FARTHEST, "float16": 0.02, "int8": 0.5}


def write_tflite(
    folder: str,
    plain: keras.Model,
    spec: LogMelSpec | None,
    calibration: Calibration | None = None,
    weights: Weights = "float32",
) -> None:
    """Write model.tflite, with built-in operations only, once LiteRT has run it.

    Args:
        folder: an existing folder.
        plain: a tagger from `training.models.plain_layers.in_plain_layers`.
        spec: the log-mel spec of a spectrogram model; None for a waveform model.
        calibration: of the scores of waveforms, if they are calibrated.
        weights: what the network's weights are stored as; with `int8` its large layers compute in it too.

    Raises:
        TagscaleError: LiteRT gives other scores than the tagger.
    """
    tagger = FrozenTagger(plain)
    # In int8 the filterbank, and the powers that it sums, would lose all that is quiet.
    portable = PortableTagger(tagger, spec, fourier_power, calibration, hides_filterbank=weights == "int8")
    waveform = tf.TensorSpec([None, None], tf.float32, name="waveform")
    function = tf.function(portable.of_waveform).get_concrete_function(waveform)
    data = _converted(function, weights)
    path = os.path.join(folder, MARKERS["tflite"])
    with open(path, "wb") as file:
        file.write(data)
    signal = trial_waveform(tagger.patch_shape, spec)
    require_alike(path, _run(path, signal), portable.of_waveform(tf.constant(signal)), _FARTHEST[weights])


def lite_scorer(plain: keras.Model, weights: Weights) -> Callable[[Any], npt.NDArray[np.float32]]:
    """What scores patches, float32 [batch, patch(, mels)] -> [batch, tags], with the network as `write_tflite` stores it."""
    from ai_edge_litert.interpreter import Interpreter

    tagger = FrozenTagger(plain)
    patches = tf.TensorSpec([None, *tagger.patch_shape], tf.float32, name="patches")
    function = tf.function(lambda patches: {"scores": tagger(patches)["scores"]}).get_concrete_function(patches)
    interpreter = Interpreter(model_content=_converted(function, weights), num_threads=os.cpu_count())
    run = interpreter.get_signature_runner()
    return lambda patches: run(patches=patches)["scores"].copy()


def _converted(function: Any, weights: Weights) -> bytes:
    with tempfile.TemporaryDirectory() as saved:
        # A model that is converted from a SavedModel keeps the names of its input and outputs.
        tf.saved_model.save(tf.Module(), saved, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        if weights != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        data: bytes = converter.convert()
    return data


def _run(path: str, waveform: object) -> Outputs:
    from ai_edge_litert.interpreter import Interpreter

    outputs: Outputs = Interpreter(path).get_signature_runner()(waveform=waveform)
    return outputs
