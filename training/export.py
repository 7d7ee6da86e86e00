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
from schemas.storage import exists, is_remote, join, local_path, publish, remove, require_empty_or, write_atomic
from training.serving import ServedTagger
from training.trained import open_run

MODEL_NAME = "saved_model.pb"  # written last: it makes the folder a SavedModel
FIRST_NAME = "fingerprint.pb"  # written first: alone, it says that an export was stopped here


@dataclasses.dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Attributes:
        out: the SavedModel's folder.
        tags: how many tags it scores.
        patch_seconds: of its patches.
        epoch: the run's epoch that the weights come from.
        bytes: of all its files.
    """

    out: str
    tags: int
    patch_seconds: float
    epoch: int
    bytes: int


def export(root: str, out: str) -> ExportSummary:
    """Export the best epoch of a run.

    Args:
        root: the run.
        out: folder of the SavedModel; a SavedModel that is there, or what a stopped export left of one, is replaced.

    Raises:
        UserError: no such run, or `out` holds something else.
    """
    run = open_run(root)
    begun = exists(join(out, FIRST_NAME))
    require_empty_or(out, FIRST_NAME if begun else MODEL_NAME, "a SavedModel to replace")
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
        _derive_uuid(os.path.join(folder, FIRST_NAME))
        for name, data in assets.items():
            write_atomic(os.path.join(folder, "assets", name), data)
        size = _move(folder, out)
    return ExportSummary(out, len(run.labels.vocabulary), run.config.patch_seconds, run.state.epoch, size)


def _derive_uuid(path: str) -> None:
    """Put a hash in place of the random uuid of a fingerprint.pb, the one thing that differs between two processes.

    The file is kept, since `tf.saved_model.experimental.read_fingerprint` needs it. The uuid still tells models apart,
    because it follows from the checksums of the graph and of the weights, which stand beside it.
    """
    with open(path, "rb") as file:
        fingerprint = fingerprint_pb2.FingerprintDef.FromString(file.read())
    if not hasattr(fingerprint, "uuid"):  # TensorFlow 2.18 writes none
        return
    fingerprint.ClearField("uuid")
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(digest[:16], "big"))  # 128 bits in decimal, the form of TensorFlow's own
    write_atomic(path, fingerprint.SerializeToString(deterministic=True))


def _move(folder: str, out: str) -> int:
    """Copy a finished SavedModel to `out`, the files that say what it is first and last; returns its bytes."""
    remove(join(out, MODEL_NAME))
    files = sorted(
        (os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names),
        key=lambda name: (name == MODEL_NAME, name != FIRST_NAME, name),
    )
    total = 0
    for name in files:
        path = os.path.join(folder, name)
        total += os.path.getsize(path)
        if is_remote(out):
            publish(path, join(out, name))
        else:
            with open(path, "rb") as file:
                write_atomic(join(local_path(out), name), file.read())
    return total


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
