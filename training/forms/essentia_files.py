"""Write a tagger as a frozen graph with the description that Essentia's models have, for its TensorflowPredict."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from schemas.features import FeatureSpec, LogMelSpec
from schemas.model_calibration import Calibration
from schemas.model_forms import ESSENTIA_DESCRIPTION_NAME, MARKERS
from training.forms.frozen import FrozenTagger
from training.forms.portable_graph import PortableTagger, fourier_power
from training.forms.trial import Outputs, require_alike, trial_waveform


def write_essentia(
    folder: str,
    plain: keras.Model,
    spec: FeatureSpec,
    *,
    vocabulary: Sequence[str],
    labels: dict[str, Any],
    licence: str | None,
    calibration: Calibration | None = None,
) -> None:
    """Write model.pb, from waveforms of any length to scores and embedding, and model.json.

    Essentia brings a TensorFlow of its own, 2.5, which knows neither the operation by which a SavedModel reads its variables
    nor sizes of outputs that are not stated in the graph.

    Args:
        folder: an existing folder.
        plain: a tagger from `training.models.plain_layers.in_plain_layers`.
        spec: features that it reads.
        vocabulary: tags in output order.
        labels: fields of the label version's manifest.
        licence: the model's licence, if one is stated.
        calibration: of the scores, if they are calibrated.

    Raises:
        TagscaleError: the frozen graph gives other scores than the tagger.
    """
    tagger = FrozenTagger(plain)
    logmel = spec if isinstance(spec, LogMelSpec) else None
    portable = PortableTagger(tagger, logmel, fourier_power, calibration)

    def named(waveform: Any) -> dict[str, Any]:
        outputs = portable.of_waveform(waveform)
        sizes = {"scores": tagger.tags, "embedding": tagger.embedding}
        return {name: tf.reshape(outputs[name], [-1, size], name=name) for name, size in sizes.items()}

    waveform = tf.TensorSpec([None, None], tf.float32, name="waveform")
    frozen = convert_variables_to_constants_v2(tf.function(named).get_concrete_function(waveform))
    graph = frozen.graph.as_graph_def()
    path = os.path.join(folder, MARKERS["essentia"])
    with open(path, "wb") as file:
        file.write(graph.SerializeToString(deterministic=True))
    signal = trial_waveform(tagger.patch_shape, logmel)
    require_alike(path, _run(path, signal), portable.of_waveform(tf.constant(signal)))
    fields = _description(tagger, spec, vocabulary, labels, licence)
    with open(os.path.join(folder, ESSENTIA_DESCRIPTION_NAME), "w", encoding="utf-8") as text:
        text.write(json.dumps(fields, indent=2, ensure_ascii=False) + "\n")


def _run(path: str, waveform: Any) -> Outputs:
    with open(path, "rb") as file:
        graph = tf.compat.v1.GraphDef.FromString(file.read())
    with tf.Graph().as_default() as loaded, tf.compat.v1.Session(graph=loaded) as session:
        tf.import_graph_def(graph, name="")
        outputs: Outputs = session.run(
            {name: f"{name}:0" for name in ("scores", "embedding")}, {"waveform:0": waveform}
        )
    return outputs


def _description(
    tagger: FrozenTagger, spec: FeatureSpec, vocabulary: Sequence[str], labels: dict[str, Any], licence: str | None
) -> dict[str, Any]:
    """The fields of the description, in the order of Essentia's own."""
    counts = labels.get("counts", {})

    def output(name: str, size: int, op: str, purpose: str) -> dict[str, Any]:
        return {"name": name, "type": "float", "shape": ["batch_size", size], "op": op, "output_purpose": purpose}

    return {
        "name": labels["name"],
        "type": "auto-tagging",
        "version": labels["version"],
        "description": f"Prediction of {len(vocabulary)} tags",
        **({"license": licence} if licence else {}),
        "framework": "tensorflow",
        "framework_version": tf.__version__,
        "classes": list(vocabulary),
        "model_types": ["frozen_model"],
        "dataset": {"name": labels["name"], **({"size": f"{counts['train']} tracks"} if "train" in counts else {})},
        "schema": {
            "inputs": [{"name": "waveform", "type": "float", "shape": ["batch_size", "samples"]}],
            "outputs": [
                output("scores", tagger.tags, "Sigmoid", "predictions"),
                output("embedding", tagger.embedding, "fully connected", "embeddings"),
            ],
        },
        "inference": {"sample_rate": spec.sample_rate, "algorithm": "TensorflowPredict"},
    }
