"""Write a tagger as a LiteRT (TensorFlow Lite) model that takes waveforms of any length."""

from __future__ import annotations

import os
import tempfile

import keras
import tensorflow as tf

from schemas.features import LogMelSpec
from schemas.model_calibration import Calibration
from schemas.model_forms import MARKERS
from training.forms.frozen import FrozenTagger
from training.forms.portable_graph import PortableTagger, fourier_power
from training.forms.trial import Outputs, require_alike, trial_waveform


def write_tflite(
    folder: str, plain: keras.Model, spec: LogMelSpec | None, calibration: Calibration | None = None
) -> None:
    """Write model.tflite, with float32 weights and built-in operations only, once LiteRT has run it.

    Args:
        folder: an existing folder.
        plain: a tagger from `training.models.plain_layers.in_plain_layers`.
        spec: the log-mel spec of a spectrogram model; None for a waveform model.
        calibration: of the scores of waveforms, if they are calibrated.

    Raises:
        TagscaleError: LiteRT gives other scores than the tagger.
    """
    tagger = FrozenTagger(plain)
    portable = PortableTagger(tagger, spec, fourier_power, calibration)
    waveform = tf.TensorSpec([None, None], tf.float32, name="waveform")
    function = tf.function(portable.of_waveform).get_concrete_function(waveform)
    with tempfile.TemporaryDirectory() as saved:
        # A model that is converted from a SavedModel keeps the names of its input and outputs.
        tf.saved_model.save(tf.Module(), saved, signatures={"serving_default": function})
        data = tf.lite.TFLiteConverter.from_saved_model(saved).convert()
    path = os.path.join(folder, MARKERS["tflite"])
    with open(path, "wb") as file:
        file.write(data)
    signal = trial_waveform(tagger.patch_shape, spec)
    require_alike(path, _run(path, signal), portable.of_waveform(tf.constant(signal)))


def _run(path: str, waveform: object) -> Outputs:
    from ai_edge_litert.interpreter import Interpreter

    outputs: Outputs = Interpreter(path).get_signature_runner()(waveform=waveform)
    return outputs
