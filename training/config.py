"""The configuration of a run: validated fields, from a YAML or JSON file and the command line over it."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, Literal, get_args

import yaml

from schemas.errors import UserError
from schemas.features import HOP_LENGTH, SAMPLE_RATE, Family
from schemas.storage import read_bytes
from training.models.config import Frontend, ModelConfig, ResidualBatchNorm, least_patch
from training.patches import patch_length

StrategyName = Literal["auto", "single", "mirrored", "multi-worker", "tpu"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Loss = Literal["auto", "cross-entropy", "mse"]
SelectBy = Literal["roc_auc", "pr_auc", "loss"]


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run. The recipe is that of the authors: `docs/training.md` says what comes from where.

    Attributes:
        dataset: folder of the dataset.
        label_set: NAME or NAME@HASH; a run keeps the version that it began with.
        frontend: spectrogram or waveform.
        features: which of the dataset's features, by their name, such as logmel-0123456789ab; empty for those that
            it was built with. A run keeps those that it began with.
        hop_length: samples between frames of a spectrogram; taken from the features when training starts.
        patch_seconds: length of a training patch.
        epochs: passes over the training split, a random patch per track and epoch.
        batch_size: tracks of a global batch.
        seed: of initial weights, order, crops and dropout.
        strategy: how devices share the work; `auto` takes multi-worker where TF_CONFIG is set, mirrored where there
            are several GPUs, else single.
        precision: dtype policy of the layers; output and loss stay in float32.
        learning_rate: of Adam.
        plateau_epochs: epochs without a better validation loss after which the learning rate is halved.
        stop_epochs: epochs without a better validation result after which training stops; 0 for never.
        select_by: what the best checkpoint is best at, on the validation split.
        validate_every: epochs between validations; the last one is always validated.
        loss: `auto` takes cross-entropy for binary labels and mean squared error for graded ones.
        num_filt: filters per narrowest branch of the spectrogram front-end.
        dense_units: units of the dense layer.
        waveform_layers: 7 or 9.
        residual_batch_norm: scalar, as published, or per_channel.
        dropout: before each dense layer.
        l2: weight decay of the kernels, in the loss.
        batch_norm_momentum: share of the moving statistics that a step keeps; less for a run of few steps.
        synchronized_batch_norm: batch statistics over all replicas rather than each one's own.
    """

    dataset: str
    label_set: str
    frontend: Frontend
    features: str = ""
    hop_length: int = HOP_LENGTH
    patch_seconds: float = 15.0
    epochs: int = 100
    batch_size: int = 32
    seed: int = 0
    strategy: StrategyName = "auto"
    precision: Precision = "float32"
    learning_rate: float = 1e-3
    plateau_epochs: int = 75
    stop_epochs: int = 0
    select_by: SelectBy = "loss"
    validate_every: int = 1
    loss: Loss = "auto"
    num_filt: int = 16
    dense_units: int = 500
    waveform_layers: int = 7
    residual_batch_norm: ResidualBatchNorm = "scalar"
    dropout: float = 0.5
    l2: float = 1e-5
    batch_norm_momentum: float = 0.99
    synchronized_batch_norm: bool = False

    def __post_init__(self) -> None:
        for field, expected in typing.get_type_hints(TrainConfig).items():
            object.__setattr__(self, field, _checked(field, getattr(self, field), expected))
        if self.features and not self.features.startswith(f"{self.family}-"):
            raise UserError(
                f"features: expected {self.family}-… for a {self.frontend} front-end, received {self.features}"
            )
        for field in ("epochs", "batch_size", "plateau_epochs", "validate_every", "hop_length"):
            if getattr(self, field) < 1:
                raise UserError(f"{field}: expected at least 1, received {getattr(self, field)}")
        if self.stop_epochs < 0 or self.seed < 0:
            raise UserError("stop_epochs and seed: expected 0 or more")
        if not 0 < self.learning_rate < 10:
            raise UserError(f"learning_rate: expected more than 0 and less than 10, received {self.learning_rate:g}")
        try:
            model = self.model
            least = least_patch(model)
        except ValueError as error:
            raise UserError(str(error)) from error
        if self.patch < least:
            seconds = (
                least / SAMPLE_RATE if self.frontend == "waveform" else (least - 1) * self.hop_length / SAMPLE_RATE
            )
            raise UserError(
                f"patch_seconds: this {self.frontend} model needs at least {seconds:.2f}, received {self.patch_seconds:g}"
            )

    @property
    def model(self) -> ModelConfig:
        """The fields that describe the model."""
        names = {field.name for field in dataclasses.fields(ModelConfig)}
        return ModelConfig(**{name: value for name, value in dataclasses.asdict(self).items() if name in names})

    @property
    def family(self) -> Family:
        """The feature family that the front-end reads."""
        return "logmel" if self.frontend == "spectrogram" else "waveform"

    @property
    def patch(self) -> int:
        """Length of a patch in frames (spectrogram) or samples (waveform)."""
        return patch_length(self.patch_seconds, self.frontend, self.hop_length)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def resolve_config(file: str | None, overrides: dict[str, Any]) -> TrainConfig:
    """A configuration from a file, with what the command line says over it.

    Args:
        file: YAML, or the config.json of a run; None for none.
        overrides: fields given on the command line; None is not given.

    Raises:
        UserError: no such file, an unknown field, a missing or a wrong one.
    """
    fields: dict[str, Any] = {}
    if file is not None:
        try:
            text = read_bytes(file).decode()
            fields = json.loads(text) if file.endswith(".json") else yaml.safe_load(text)
        except FileNotFoundError as error:
            raise UserError(f"config {file}: no such file; check the path") from error
        except (yaml.YAMLError, ValueError) as error:
            raise UserError(f"config {file}: expected YAML or JSON: {' '.join(str(error).split())}") from error
        if not isinstance(fields, dict):
            raise UserError(f"config {file}: expected fields with values")
        fields.pop("format", None)
        fields.pop("resolved", None)
    fields.update({name: value for name, value in overrides.items() if value is not None})
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    for name in fields:
        if name not in known:
            raise UserError(f"config {file}: unknown field {name!r}; known are {', '.join(known)}")
    for name in ("dataset", "label_set", "frontend"):
        if name not in fields:
            raise UserError(f"--{name.replace('_', '-')}: expected, on the command line or in --config")
    return TrainConfig(**fields)


def _checked(name: str, value: Any, expected: Any) -> Any:
    """`value` as the type that a field expects; whole numbers pass as floats, and YAML's 1e-3 is text."""
    if typing.get_origin(expected) is Literal:
        if value not in get_args(expected):
            raise UserError(f"{name}: expected {' or '.join(map(str, get_args(expected)))}, received {value!r}")
        return value
    if isinstance(expected, types.UnionType):
        raise TypeError(f"Expected a plain type for {name}. Received: {expected}")
    if expected is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise UserError(f"{name}: expected {expected.__name__}, received {value!r}")
    return value
