"""The files of an exported model, read without TensorFlow: what it reads and gives, and a hash that names it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import training_command
from schemas.features import FeatureSpec, LogMelSpec, spec_from_dict
from schemas.model_hash import ASSETS, model_file_names, model_hash
from schemas.storage.files import download, exists, is_remote, join, local_path, read_bytes
from schemas.storage.json_object import parse_json_object
from schemas.tags import ModelEntry
from schemas.validation import from_fields

MODEL_NAME = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """An exported model.

    Attributes:
        uri: Its folder.
        entry: What tags.json says of it.
        spec: The features that it reads; the excerpt is that of its training.
    """

    uri: str
    entry: ModelEntry
    spec: FeatureSpec

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
    """

    patch: int
    embedding: int
    trunk_sha256: str


def read_model(uri: str) -> ServedModel:
    """Read what a model's assets say.

    Args:
        uri: Folder of a SavedModel that `export` wrote.

    Raises:
        UserError: There is no such model, `export` did not write it, or an earlier version did.
    """
    again = f"export it again with `{training_command('export')}`"
    if not exists(join(uri, MODEL_NAME)):
        raise UserError(
            f"{uri}: expected a SavedModel, found no {MODEL_NAME}; write one with `{training_command('export')}`"
        )

    def asset(name: str) -> bytes:
        try:
            return read_bytes(join(uri, ASSETS, name))
        except FileNotFoundError as error:
            raise UserError(
                f"{uri}: expected a SavedModel that this version's `export` wrote, found one without assets/{name}; {again}"
            ) from error

    def fields(name: str) -> dict[str, Any]:
        return parse_json_object(asset(name))

    try:
        spec = spec_from_dict(fields("feature_spec.json"))
        facts = from_fields(
            _ModelFacts, {name: value for name, value in fields("model.json").items() if name != "format"}
        )
        labels = fields("labels.json")
        tags = tuple(asset("vocabulary.txt").decode().split("\n")[:-1])
        named = f"{labels['name']}@{labels['version']}"
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{uri}: its assets cannot be read: {error}; {again}") from error
    if not tags or facts.patch < 1 or facts.embedding < 1:
        raise UserError(
            f"{uri}: expected tags, a patch and an embedding, received {len(tags)} tags and {facts}; {again}"
        )
    entry = ModelEntry(
        sha256=model_hash(uri),
        trunk_sha256=facts.trunk_sha256,
        tags=tags,
        embedding=facts.embedding,
        patch=facts.patch,
        labels=named,
    )
    return ServedModel(uri, entry, spec)


@contextlib.contextmanager
def local_model(model: ServedModel) -> Iterator[str]:
    """A local folder with the model's files: its own, or a copy of one in a store.

    Raises:
        DatasetError: The files are no longer those whose hash the job names.
    """
    with contextlib.ExitStack() as stack:
        folder = local_path(model.uri)
        if is_remote(model.uri):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tagscale-model-"))
            for name in model_file_names(model.uri):
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                download(join(model.uri, name), os.path.join(folder, name))
        if model_hash(folder) != model.entry.sha256:
            raise DatasetError(
                f"{model.uri}: the model's files have changed since the job began; run the command again"
            )
        yield folder
