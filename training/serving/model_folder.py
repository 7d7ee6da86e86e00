"""Write the folder of an exported model: the model in one of its forms, and the assets that say what it reads and gives."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

from schemas.features import FeatureSpec, LogMelSpec, features_name
from schemas.model_calibration import CALIBRATION_NAME, RELIABILITY_NAME, Calibration, calibration_json
from schemas.model_forms import ASSETS, MARKERS, Form, Weights
from schemas.model_head import HEAD_NAME, Head
from schemas.model_thresholds import THRESHOLDS_NAME
from schemas.storage.files import write_atomic
from training.forms.essentia_files import write_essentia
from training.forms.keras_file import write_keras
from training.forms.onnx_files import write_onnx
from training.forms.tflite_file import write_tflite
from training.models.plain_layers import in_plain_layers
from training.serving.served_tagger import ServedTagger
from training.serving.whole_folder import place_folder

# Files that not every model has.
_OPTIONAL = (f"{ASSETS}/{CALIBRATION_NAME}", RELIABILITY_NAME, f"{ASSETS}/{THRESHOLDS_NAME}")


def write_model(
    out: str,
    model: keras.Model,
    *,
    form: Form = "savedmodel",
    patch: int,
    spec: FeatureSpec,
    vocabulary: Sequence[str],
    labels: dict[str, Any],
    config: dict[str, Any],
    licence: str | None = None,
    calibration: Calibration | None = None,
    weights: Weights = "float32",
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> int:
    """Write a tagger that takes raw audio (as a Keras file: patches); returns the size of its files in bytes.

    Args:
        out: folder of the model, which appears whole and replaces an existing one of the same form.
        model: a tagger of `training.models`.
        form: how it is written. Only a SavedModel computes in the model's own precision, the others in float32.
        patch: length of its patches, in frames (spectrogram) or samples (waveform).
        spec: features that it reads.
        vocabulary: tags in output order.
        labels: fields of the label version's manifest.
        config: fields of the run's configuration.
        licence: the model's licence, if one is stated.
        calibration: of the scores of tracks, if they are calibrated; a Keras file, which scores patches, cannot hold it.
        weights: what a LiteRT model stores the network's weights as; in the other forms they are float32.
        beside: name in the folder -> bytes of each further file.
    """
    with tempfile.TemporaryDirectory() as folder:
        logmel = spec if isinstance(spec, LogMelSpec) else None
        if form == "savedmodel":
            served = ServedTagger(model, patch, logmel, tuple(vocabulary), calibration)
            tf.saved_model.save(served.saved_object(), folder, signatures=served.signatures())
            _derive_uuid(os.path.join(folder, "fingerprint.pb"))
        else:
            plain = in_plain_layers(model)
            if form == "onnx":
                write_onnx(folder, plain, logmel, calibration)
            elif form == "tflite":
                write_tflite(folder, plain, logmel, calibration, weights)
            elif form == "essentia":
                write_essentia(
                    folder,
                    plain,
                    spec,
                    vocabulary=vocabulary,
                    labels=labels,
                    licence=licence,
                    calibration=calibration,
                )
            else:
                write_keras(folder, plain)
        assets = _assets(model, patch, spec, vocabulary, labels, config, licence)
        if calibration is not None:
            assets[CALIBRATION_NAME] = calibration_json(calibration)
        for name, data in {**{f"{ASSETS}/{name}": data for name, data in assets.items()}, **beside}.items():
            write_atomic(os.path.join(folder, name), data)
        return place_folder(folder, out, MARKERS[form], _OPTIONAL)


def _assets(
    model: keras.Model,
    patch: int,
    spec: FeatureSpec,
    vocabulary: Sequence[str],
    labels: dict[str, Any],
    config: dict[str, Any],
    licence: str | None,
) -> dict[str, bytes]:
    """Name -> bytes of each asset, the same for every form."""
    head = model.get_layer("logits")
    return {
        HEAD_NAME: Head(head.kernel.numpy(), head.bias.numpy()).to_bytes(),
        "vocabulary.txt": "".join(f"{tag}\n" for tag in vocabulary).encode(),
        "feature_spec.json": _json(spec.to_dict()),
        "labels.json": _json(labels),
        "config.json": _json({"format": 1, **config}),
        "model.json": _json(
            {
                "format": 1,
                "licence": licence,
                "patch": patch,
                "embedding": int(model.output["embedding"].shape[-1]),
                "trunk_sha256": _trunk_sha256(
                    model, " ".join([features_name(spec), str(patch), *_half_precisions(model)])
                ),
            }
        ),
    }


def _trunk_sha256(model: keras.Model, what_it_reads: str) -> str:
    """SHA-256 over the input and all weights that lead to the embedding; models with the same one give the same embeddings.

    The names and shapes of the weights stand for the architecture. Forms of one model have the same, except for rounding.
    """
    digest = hashlib.sha256(what_it_reads.encode())
    for weight in sorted(model.weights, key=lambda weight: str(weight.path)):
        if not str(weight.path).startswith("logits/"):
            value = np.ascontiguousarray(weight.numpy())
            digest.update(f"{weight.path} {value.shape} {value.dtype}\n".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()


def _half_precisions(model: keras.Model) -> list[str]:
    return sorted({layer.dtype_policy.name for layer in model.layers} - {"float32"})


def _derive_uuid(path: str) -> None:
    """Replace the random uuid in a fingerprint.pb, the only thing that differs between two processes, by a hash.

    The file is kept because `tf.saved_model.experimental.read_fingerprint` needs it. The uuid still distinguishes models,
    because it is derived from the checksums of the graph and of the weights in the same file.
    """
    with open(path, "rb") as file:
        fingerprint = fingerprint_pb2.FingerprintDef.FromString(file.read())
    if not hasattr(fingerprint, "uuid"):  # TensorFlow 2.18 writes none
        return
    fingerprint.ClearField("uuid")
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(digest[:16], "big"))  # 128 bits in decimal, the form of TensorFlow's own
    write_atomic(path, fingerprint.SerializeToString(deterministic=True))


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
