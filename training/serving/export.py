"""Write a run's best model as a SavedModel that takes raw audio and carries its vocabulary."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

from schemas.features import LogMelSpec
from schemas.storage.files import write_atomic
from training.runs.trained import open_run
from training.serving.served_tagger import ServedTagger
from training.serving.whole_folder import place_folder, require_replaceable

MODEL_NAME = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class ExportSummary:
    """The exported SavedModel.

    Attributes:
        out: the SavedModel's folder.
        tags: number of tags that it scores.
        patch_seconds: length of its patches.
        epoch: the run's epoch that the weights come from.
        bytes: size of all its files.
    """

    out: str
    tags: int
    patch_seconds: float
    epoch: int
    bytes: int


def export(root: str, out: str) -> ExportSummary:
    """Export the best epoch of a run.

    >>> from training import export
    >>> export("runs/a", "runs/a/saved_model").tags
    3

    Args:
        root: the run's folder.
        out: folder of the SavedModel, which appears whole and replaces an existing one.

    Raises:
        UserError: there is no such run, or `out` holds something else.
    """
    run = open_run(root)
    require_replaceable(out, MODEL_NAME, "a SavedModel to replace")
    spec = run.spec
    served = ServedTagger(
        run.model, run.config.patch, spec if isinstance(spec, LogMelSpec) else None, run.labels.vocabulary
    )
    assets: dict[str, Any] = {
        "vocabulary.txt": "".join(f"{tag}\n" for tag in run.labels.vocabulary).encode(),
        "feature_spec.json": _json(spec.to_dict()),
        "labels.json": _json(run.labels.manifest.to_dict()),
        "config.json": _json({"format": 1, **run.config.to_dict()}),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(served.saved_object(), folder, signatures=served.signatures())
        _derive_uuid(os.path.join(folder, "fingerprint.pb"))
        for name, data in assets.items():
            write_atomic(os.path.join(folder, "assets", name), data)
        size = place_folder(folder, out, MODEL_NAME)
    return ExportSummary(out, len(run.labels.vocabulary), run.config.patch_seconds, run.state.epoch, size)


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
