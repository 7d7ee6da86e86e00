"""The forms of an exported model: which file tells each, and what lies beside it. Both stages read these names."""

from __future__ import annotations

from typing import Literal, get_args

from schemas.storage.files import exists, join

Form = Literal["savedmodel", "onnx", "tflite", "keras", "essentia"]
FORMS: tuple[Form, ...] = get_args(Form)
Weights = Literal["float32", "float16", "int8"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)  # what a LiteRT model may hold
MARKERS: dict[Form, str] = {  # the file without which a folder does not hold the form
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
    "keras": "model.keras",
    "essentia": "model.pb",
}
FORM_NAMES: dict[Form, str] = {
    "savedmodel": "a SavedModel",
    "onnx": "an ONNX model",
    "tflite": "a LiteRT model",
    "keras": "a Keras model",
    "essentia": "a graph for Essentia",
}
ONNX_PATCHES_NAME = "patches.onnx"  # beside model.onnx: the same model for single patches
ESSENTIA_DESCRIPTION_NAME = "model.json"  # beside model.pb: its inputs, outputs and classes
ASSETS = "assets"  # folder of the files that say what a model reads and gives


def forms_in(uri: str) -> list[Form]:
    """The forms that a folder holds, in the order of `FORMS`."""
    return [form for form in FORMS if exists(join(uri, MARKERS[form]))]
