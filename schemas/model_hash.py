"""The hash that names an exported model: tags say by it which model made them."""

from __future__ import annotations

import hashlib

from schemas.model_forms import ASSETS, MARKERS, ONNX_PATCHES_NAME, Form
from schemas.storage.files import files_below, join, sha256_of

# Names of files, and of folders with all that is in them, which the runtime of a form reads.
_OWN: dict[Form, tuple[str, ...]] = {
    "savedmodel": (MARKERS["savedmodel"], "fingerprint.pb", "variables/"),
    "onnx": (MARKERS["onnx"], ONNX_PATCHES_NAME),
}


def model_file_names(uri: str, form: Form = "savedmodel") -> list[str]:
    """Names of a model's own files below its folder: those that its runtime reads, and the assets.

    Args:
        uri: the folder.
        form: `savedmodel` or `onnx`; a folder may hold both.
    """
    root = uri.rstrip("/") + "/"
    names = [file.removeprefix(root) for file in files_below(uri)]
    own = (*_OWN[form], f"{ASSETS}/")
    return sorted(name for name in names if name in own or name.startswith(tuple(one for one in own if one[-1] == "/")))


def model_hash(uri: str, form: Form = "savedmodel") -> str:
    """SHA-256 over the names and bytes of a model's own files, hex."""
    digest = hashlib.sha256()
    for name in model_file_names(uri, form):
        digest.update(f"{name} {sha256_of(join(uri, name))}\n".encode())
    return digest.hexdigest()
