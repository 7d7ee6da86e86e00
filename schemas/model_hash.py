"""The hash that names an exported model: tags say by it which model made them."""

from __future__ import annotations

import hashlib

from schemas.storage.files import files_below, join, sha256_of

ASSETS = "assets"  # folder of a SavedModel with what `export` writes beside the graph


def model_file_names(uri: str) -> list[str]:
    """Names of a model's own files below its folder: those that TensorFlow reads, and the assets."""
    root = uri.rstrip("/") + "/"
    names = [file.removeprefix(root) for file in files_below(uri)]
    return sorted(name for name in names if name.endswith(".pb") or name.startswith(("variables/", f"{ASSETS}/")))


def model_hash(uri: str) -> str:
    """SHA-256 over the names and bytes of a model's own files, hex."""
    digest = hashlib.sha256()
    for name in model_file_names(uri):
        digest.update(f"{name} {sha256_of(join(uri, name))}\n".encode())
    return digest.hexdigest()
