"""Checkpoints of a run: weights, optimizer and the loop's own state; each is complete or does not exist.

A checkpoint is a folder with one .npz file and, written last, a state.json that holds the file's name and SHA-256. If
state.json is missing or does not match, writing was cut short: the previous checkpoint is used, with a warning.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import sys
import zipfile
from typing import Any, TypedDict

import keras
import numpy as np

from schemas.console.errors import DatasetError
from schemas.console.terminal import say
from schemas.storage.checksums import with_checksum
from schemas.storage.files import (
    exists,
    join,
    list_names,
    read_bytes,
    remove,
    remove_empty_folder,
    remove_temporaries,
    write_atomic,
)
from schemas.storage.json_object import parse_json_object, without_format
from schemas.validation import InvalidFieldError, from_fields

BEST_NAME = "best"
FORMAT = 1
_WEIGHTS_NAME = "variables.npz"
_STATE_NAME = "state.json"


class TornCheckpoint(DatasetError):  # noqa: N818 - the name says what it is, not only that it is an error
    """A checkpoint is not whole."""


class CheckpointFields(TypedDict):
    """The fields of a checkpoint's state.json, which may hold more.

    Attributes:
        variables: name of the .npz file, in the same folder.
        sha256: SHA-256 of that file, hex.
        state: position of the run, see `LoopState`.
    """

    variables: str
    sha256: str
    state: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class LoopState:
    """The position of a run, apart from its variables.

    Attributes:
        epoch: number of finished epochs.
        epoch_step: number of steps taken in the epoch that is under way.
        epoch_loss: sum of the losses of these steps; of all steps since the last validation if it counts steps.
        step: number of steps taken in all.
        rate_factor: factor that plateaus have reduced the learning rate by.
        best: value of the selection criterion at the best epoch, larger is better; None before the first validation.
        best_epoch: number of that epoch; a fraction in the middle of one.
        best_step: number of steps taken by then.
        recorded_step: number of steps taken when the last line was added to metrics.jsonl; None before the first one.
        plateau_best: lowest validation loss so far.
        plateau_wait: number of epochs, or of steps, that the plateau's rule has counted.
        label_version: NAME@HASH that the run is trained on.
        tracks: hash of the training tracks' ids; the position refers to these tracks.
    """

    epoch: int = 0
    epoch_step: int = 0
    epoch_loss: float = 0.0
    step: int = 0
    rate_factor: float = 1.0
    best: float | None = None
    best_epoch: int | float = 0
    best_step: int = 0
    recorded_step: int | None = None
    plateau_best: float | None = None
    plateau_wait: int = 0
    label_version: str = ""
    tracks: str = ""


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: RUN/checkpoints, local or a URI.
        kept: number of newest checkpoints kept besides the best.
    """

    def __init__(self, folder: str, kept: int = 2) -> None:
        self._folder = folder
        self._kept = kept

    def save(self, name: str, variables: dict[str, keras.Variable], state: LoopState) -> None:
        """Write a checkpoint, replacing any older one of this name."""
        data = _npz({key: _value(variable) for key, variable in variables.items()})
        folder = join(self._folder, name)
        digest = hashlib.sha256(data).hexdigest()
        # The file carries its hash in its name, so that replacing a checkpoint never tears the old one.
        file = f"{digest[:16]}-{_WEIGHTS_NAME}"
        remove_temporaries(folder)  # left unfinished by a process that was killed
        write_atomic(join(folder, file), data)
        fields = {"format": FORMAT, "variables": file, "sha256": digest, "state": dataclasses.asdict(state)}
        write_atomic(
            join(folder, _STATE_NAME), (json.dumps(with_checksum(fields), indent=2, sort_keys=True) + "\n").encode()
        )
        for other in list_names(folder):
            if other not in (file, _STATE_NAME):
                remove(join(folder, other))

    def save_step(self, variables: dict[str, keras.Variable], state: LoopState) -> None:
        """Write the checkpoint of a position; remove all but the last few, and torn ones of later positions."""
        own = _step_name(state.step)
        self.save(own, variables, state)
        earlier = [name for name in self._steps() if name <= own]
        for name in set(self._steps()) - set(earlier[-self._kept :]):
            folder = join(self._folder, name)
            for file in (_STATE_NAME, *list_names(folder)):  # the state first: a half-removed checkpoint does not count
                remove(join(folder, file))
            remove_temporaries(folder)
            remove_empty_folder(folder)

    def newest(self, variables: dict[str, keras.Variable]) -> LoopState | None:
        """Load the newest whole checkpoint into `variables`; None if there is none.

        Raises:
            DatasetError: it belongs to another model.
        """
        names = self._steps()
        for name in reversed(names):
            try:
                return self.load(name, variables)
            except TornCheckpoint as error:
                say(f"warning: {error}; the previous checkpoint is used", file=sys.stderr)
        if names:
            say(f"warning: {self._folder}: no whole checkpoint is left; the run starts again", file=sys.stderr)
        return None

    def load(self, name: str, variables: dict[str, keras.Variable] | None = None) -> LoopState:
        """Load a checkpoint into `variables`; variables that are not listed there are not touched.

        Raises:
            TornCheckpoint: it is missing or torn.
            DatasetError: it belongs to another model, or to another version of tagscale.
        """
        folder, fields = join(self._folder, name), self._described(name)
        try:
            data = read_bytes(join(folder, fields["variables"]))
        except FileNotFoundError as error:
            raise TornCheckpoint(f"{folder}: not a whole checkpoint: it has no {fields['variables']}") from error
        if hashlib.sha256(data).hexdigest() != fields["sha256"]:
            raise TornCheckpoint(f"{folder}: {fields['variables']} has changed since it was written")
        state = _state(folder, fields["state"])
        if variables is not None:
            with np.load(io.BytesIO(data)) as arrays:
                for key, variable in variables.items():
                    if key not in arrays or arrays[key].shape != tuple(variable.shape):
                        raise DatasetError(f"{folder}: holds another model, not the one in the run's config ({key})")
                for key, variable in variables.items():
                    variable.assign(arrays[key])
        return state

    def _described(self, name: str) -> CheckpointFields:
        """Read a checkpoint's state.json."""
        folder = join(self._folder, name)
        try:
            fields = parse_json_object(read_bytes(join(folder, _STATE_NAME)))
            fields = without_format(fields, FORMAT, folder, error=DatasetError)
            return from_fields(CheckpointFields, fields)
        except FileNotFoundError as error:
            raise TornCheckpoint(f"{folder}: not a whole checkpoint: it has no {_STATE_NAME}") from error
        except ValueError as error:
            raise TornCheckpoint(
                f"{folder}: not a whole checkpoint: its {_STATE_NAME} cannot be read: {error}"
            ) from error

    def _steps(self) -> list[str]:
        return [name for name in list_names(self._folder) if name.startswith("step-")]

    def any(self) -> bool:
        """Whether there is any checkpoint, of a position or of the best epoch."""
        return any(exists(join(self._folder, name, _STATE_NAME)) for name in (BEST_NAME, *self._steps()))

    def has_best(self) -> bool:
        return exists(join(self._folder, BEST_NAME, _STATE_NAME))

    def best_sha256(self) -> str:
        """SHA-256 of the best checkpoint's variables, hex; raises TornCheckpoint if it is not whole."""
        return self._described(BEST_NAME)["sha256"]


def _state(folder: str, fields: dict[str, Any]) -> LoopState:
    """The loop's state in a checkpoint; a missing field has its default."""
    unknown = sorted(fields.keys() - {field.name for field in dataclasses.fields(LoopState)})
    if unknown:
        raise DatasetError(
            f"{folder}: written by another version of tagscale: it has the state's {', '.join(unknown)}, which this one "
            "does not know; use the version that wrote it, or start a new run"
        )
    try:
        return from_fields(LoopState, fields)
    except InvalidFieldError as error:
        raise TornCheckpoint(f"{folder}: not a whole checkpoint: its {_STATE_NAME}: {error}") from error


def model_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """A model's weights by name, in a fixed order."""
    return {f"model/{number:03d}/{weight.path}": weight for number, weight in enumerate(model.weights)}


def optimizer_variables(optimizer: Any) -> dict[str, keras.Variable]:
    """An optimizer's variables by name, the learning rate included."""
    return {f"optimizer/{number:03d}": variable for number, variable in enumerate(optimizer.variables)}


def _step_name(step: int) -> str:
    return f"step-{step:09d}"


def _npz(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """An .npz file as np.savez writes it, but without the time of day in each entry."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return sink.getvalue()


def _value(variable: keras.Variable) -> np.ndarray[Any, Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))
