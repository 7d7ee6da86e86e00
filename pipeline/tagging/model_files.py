"""The files of an exported model, read without the library that runs it: what it reads and gives, and a hash that names it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Literal

from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import training_command
from schemas.features import FeatureSpec, LogMelSpec, spec_from_dict
from schemas.model_calibration import CALIBRATION_NAME, Calibration, parse_calibration
from schemas.model_forms import ASSETS, FORM_NAMES, MARKERS, ONNX_PATCHES_NAME, Form, forms_in
from schemas.model_hash import model_file_names, model_hash
from schemas.model_head import HEAD_NAME, Head, parse_head
from schemas.model_thresholds import THRESHOLDS_NAME, parse_thresholds
from schemas.storage.files import download, exists, is_remote, join, local_path, read_bytes
from schemas.storage.json_object import parse_json_object
from schemas.tags import ModelEntry
from schemas.validation import from_fields

Runtime = Literal["tensorflow", "onnx"]
_RUN: dict[Runtime, Form] = {"tensorflow": "savedmodel", "onnx": "onnx"}


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """An exported model.

    Attributes:
        uri: Its folder.
        entry: What tags.json says of it.
        spec: The features that it reads; the excerpt is that of its training.
        runtime: What runs it.
        calibration: Calibration of the scores of tracks, which the model of patches does not apply itself; None for none.
    """

    uri: str
    entry: ModelEntry
    spec: FeatureSpec
    runtime: Runtime = "tensorflow"
    calibration: Calibration | None = None

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Shape of a patch: [frames, mels] or [samples]."""
        return (self.entry.patch, self.spec.mels) if isinstance(self.spec, LogMelSpec) else (self.entry.patch,)


@dataclasses.dataclass(frozen=True)
class _ModelFacts:
    """assets/model.json.

    Attributes:
        patch: Length of a patch in frames or samples.
        embedding: Number of values of the embedding.
        trunk_sha256: SHA-256 of everything that leads to the embedding.
        licence: The model's licence, if one is stated.
    """

    patch: int
    embedding: int
    trunk_sha256: str
    licence: str | None = None


def read_model(uri: str, runtime: Runtime = "tensorflow") -> ServedModel:
    """Read what a model's assets say.

    Args:
        uri: Folder of a model that `export` wrote.
        runtime: What will run it: `tensorflow` a SavedModel, `onnx` an ONNX model.

    Raises:
        UserError: There is no such model, it is one for another runtime, `export` did not write it, or an earlier version did.
    """
    form = _RUN[runtime]
    export = training_command("export", *(() if form == "savedmodel" else ("--format", form)))
    again = f"export it again with `{export}`"
    if form not in (held := forms_in(uri)):
        raise UserError(
            f"{uri}: expected {FORM_NAMES[form]}, found {_instead(held, MARKERS[form])}write one with `{export}`"
        )

    def missing(name: str) -> UserError:
        return UserError(
            f"{uri}: expected {FORM_NAMES[form]} that this version's `export` wrote, found one without {name}; {again}"
        )

    def asset(name: str) -> bytes:
        try:
            return read_bytes(join(uri, ASSETS, name))
        except FileNotFoundError as error:
            raise missing(f"{ASSETS}/{name}") from error

    def fields(name: str) -> dict[str, Any]:
        return parse_json_object(asset(name))

    if form == "onnx" and not exists(join(uri, ONNX_PATCHES_NAME)):
        raise missing(ONNX_PATCHES_NAME)
    try:
        spec = spec_from_dict(fields("feature_spec.json"))
        facts = from_fields(
            _ModelFacts, {name: value for name, value in fields("model.json").items() if name != "format"}
        )
        labels = fields("labels.json")
        tags = tuple(asset("vocabulary.txt").decode().split("\n")[:-1])
        named = f"{labels['name']}@{labels['version']}"
        has_thresholds = exists(join(uri, ASSETS, THRESHOLDS_NAME))
        thresholds = parse_thresholds(asset(THRESHOLDS_NAME), tags) if has_thresholds else None
        is_calibrated = exists(join(uri, ASSETS, CALIBRATION_NAME))
        calibration = parse_calibration(asset(CALIBRATION_NAME), len(tags)) if is_calibrated else None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{uri}: its assets cannot be read: {error}; {again}") from error
    if not tags or facts.patch < 1 or facts.embedding < 1:
        raise UserError(
            f"{uri}: expected tags, a patch and an embedding, received {len(tags)} tags and {facts}; {again}"
        )
    entry = ModelEntry(
        sha256=model_hash(uri, form),
        trunk_sha256=facts.trunk_sha256,
        tags=tags,
        embedding=facts.embedding,
        patch=facts.patch,
        labels=named,
        thresholds=thresholds,
    )
    return ServedModel(uri, entry, spec, runtime, calibration)


def head_sha256(model: ServedModel) -> str:
    """SHA-256 of the file of a model's head, hex, after checking that it is one.

    Raises:
        UserError: The model was exported by an earlier version, which wrote none, or the file is damaged.
    """
    name = f"{ASSETS}/{HEAD_NAME}"
    again = f"export it again with `{training_command('export')}`"
    try:
        data = read_bytes(join(model.uri, name))
        parse_head(data, model.entry.embedding, len(model.entry.tags))
    except FileNotFoundError as error:
        raise UserError(
            f"{model.uri}: expected a model that this version's `export` wrote, found one without {name}, which --embeddings "
            f"needs; {again}"
        ) from error
    except ValueError as error:
        raise UserError(f"{model.uri}: its assets cannot be read: {error}; {again}") from error
    return hashlib.sha256(data).hexdigest()


def read_head(model: ServedModel, sha256: str) -> Head:
    """The head of a model, if it is still the one with this SHA-256; raises DatasetError otherwise."""
    data = read_bytes(join(model.uri, ASSETS, HEAD_NAME))
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _changed(model)
    return parse_head(data, model.entry.embedding, len(model.entry.tags))


def runtime_for(uri: str) -> Runtime:
    """What runs the model in a folder: onnxruntime if it holds an ONNX model and no SavedModel, otherwise TensorFlow."""
    held = forms_in(uri)
    return "onnx" if "onnx" in held and "savedmodel" not in held else "tensorflow"


def _instead(held: list[Form], marker: str) -> str:
    """What a folder holds in place of the form that was expected, and what runs it, to be continued with other advice."""
    if not held:
        return f"no {marker}; "
    found = " and ".join(FORM_NAMES[form] for form in held)
    runs = next((runtime for runtime, form in _RUN.items() if form in held), None)
    return f"{found}; " if runs is None else f"{found}; give --runtime {runs}, or "


@contextlib.contextmanager
def local_model(model: ServedModel) -> Iterator[str]:
    """A local folder with the model's files: its own, or a copy of one in a store.

    Raises:
        DatasetError: The files are no longer those whose hash the job names.
    """
    with contextlib.ExitStack() as stack:
        folder, form = local_path(model.uri), _RUN[model.runtime]
        if is_remote(model.uri):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tagscale-model-"))
            for name in model_file_names(model.uri, form):
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                download(join(model.uri, name), os.path.join(folder, name))
        if model_hash(folder, form) != model.entry.sha256:
            raise _changed(model)
        yield folder


def _changed(model: ServedModel) -> DatasetError:
    return DatasetError(f"{model.uri}: the model's files have changed since the job began; run the command again")
