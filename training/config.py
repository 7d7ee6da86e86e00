"""The configuration of a run: its fields, their bounds, and the combinations of them that make no sense."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

from schemas.console.errors import UserError
from schemas.features import HOP_LENGTH, SAMPLE_RATE, Family
from schemas.user_files.yaml_files import shown
from schemas.validation import InvalidValueError, checked, field_hints
from training.config_combinations import FieldError, require_sensible
from training.models.config import (
    PUBLISHED_DENSE_UNITS,
    Frontend,
    ModelConfig,
    ResidualBatchNorm,
    family_of,
    least_patch,
)
from training.models.patches import patch_length

StrategyName = Literal["auto", "single", "mirrored", "multi-worker", "tpu"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Loss = Literal["auto", "cross-entropy", "mse"]
SelectBy = Literal["roc_auc", "pr_auc", "loss", "last"]
Schedule = Literal["plateau", "cosine"]
PlateauRule = Literal["since-best", "published"]
ClassWeights = Literal["none", "balanced"]
Sampling = Literal["natural", "balanced"]


FORMAT = 1  # format number of a run's config.json
EPOCHS = 100  # if neither epochs nor steps are given
MOST_BATCH_SIZE = 65_536  # a larger value must be a typo: no device holds that many patches
MOST_PATCH_SECONDS = 86_400  # a day

# Bounds of the numbers, in addition to their types. Every number must be finite.
_BOUNDS: dict[str, Meta] = {
    **dict.fromkeys(
        (
            "accumulate",
            "patches_per_track",
            "plateau_epochs",
            "validate_every",
            "hop_length",
            "frequency_mask_bands",
            "keep_checkpoints",
        ),
        Meta(ge=1),
    ),
    **dict.fromkeys(("num_filt", "backend_filters"), Meta(ge=1)),
    **dict.fromkeys(
        (
            "dense_units",
            "epochs",
            "stop_epochs",
            "seed",
            "warmup_steps",
            "time_masks",
            "frequency_masks",
            "pitch_shift_bands",
        ),
        Meta(ge=0),
    ),
    **dict.fromkeys(("max_steps", "plateau_steps", "stop_steps", "validate_every_steps"), Meta(ge=0)),
    **dict.fromkeys(
        ("weight_decay", "clip_norm", "mixup", "time_mask_seconds", "gain_db", "checkpoint_minutes", "l2"), Meta(ge=0)
    ),
    **dict.fromkeys(("ema", "label_smoothing", "dropout"), Meta(ge=0, lt=1)),
    "batch_norm_momentum": Meta(gt=0, lt=1),
    "batch_size": Meta(ge=1, le=MOST_BATCH_SIZE),
    "learning_rate": Meta(gt=0, lt=10),
    "patch_seconds": Meta(gt=0, le=MOST_PATCH_SECONDS),
    "train_share": Meta(gt=0, le=1),
}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The complete configuration of a run; each field is an option of `train` with its help text, and a key of the YAML file.

    The defaults are the authors' recipe; `docs/training.md` names the source of each.

    >>> from training import TrainConfig
    >>> config = TrainConfig(dataset="data", label_set="mine", frontend="spectrogram", epochs=20)
    >>> config.batch_size, config.patch  # frames of a patch of 15 s
    (32, 938)
    """

    dataset: Annotated[str, "Folder of the dataset."]
    label_set: Annotated[
        str, "NAME for the newest version, NAME@HASH for a specific one. A run keeps the version that it began with."
    ]
    frontend: Annotated[Frontend, "What reads the input: waveform reads samples, the others log-mel frames."]
    features: Annotated[str, "Name of derived features, such as logmel-…; empty for the features that were built."] = ""
    hop_length: Annotated[int, "Samples between frames; taken from the features when training starts."] = HOP_LENGTH
    train_share: Annotated[
        float,
        "Fraction of the training split, in whole groups, the same for all seeds; larger fractions include smaller ones.",
    ] = 1.0
    patch_seconds: Annotated[float, "Length of a training patch in seconds."] = 15.0
    epochs: Annotated[
        int, "Passes over the training split; each takes --patches-per-track random patches per track."
    ] = EPOCHS
    max_steps: Annotated[int, "Number of steps, in place of --epochs; 0 for as many as the epochs have."] = 0
    batch_size: Annotated[int, "Largest number of patches in a global batch; an epoch is cut into equal batches."] = 32
    patches_per_track: Annotated[
        int, "Patches of each track in a batch, from one read of its record; an epoch then has so many times the steps."
    ] = 1
    accumulate: Annotated[
        int,
        "Parts of a batch that go through the model one after another, for one step: a large batch then fits a small GPU. "
        "Batch norm sees one part at a time.",
    ] = 1
    sampling: Annotated[
        Sampling,
        "natural visits each track once per epoch; balanced draws tracks by their rarest tag, so that tags come up about "
        "equally often.",
    ] = "natural"
    seed: Annotated[int, "Seed for initialization, shuffling, crops, augmentation and dropout."] = 0
    strategy: Annotated[
        StrategyName,
        "How devices share the work; auto picks multi-worker with TF_CONFIG, mirrored with several GPUs, else single.",
    ] = "auto"
    precision: Annotated[Precision, "Precision of the layers; logits and loss stay in float32."] = "float32"
    deterministic: Annotated[bool, "Make runs bit-for-bit repeatable on a GPU too, at the cost of speed."] = False
    learning_rate: Annotated[float, "Initial learning rate for Adam."] = 1e-3
    schedule: Annotated[Schedule, "Halve the learning rate on a plateau, or decay it to 0 along a cosine."] = "plateau"
    plateau_epochs: Annotated[int, "Halve the rate after this many epochs without a better validation loss."] = 75
    plateau_rule: Annotated[
        PlateauRule,
        "Count these epochs since the best one, or all of them since the last halving, as the authors' code does.",
    ] = "since-best"
    plateau_steps: Annotated[
        int, "With --validate-every-steps: number of steps in place of --plateau-epochs; 0 for as many as these take."
    ] = 0
    warmup_steps: Annotated[int, "Steps of linear warm-up to the full learning rate."] = 0
    stop_epochs: Annotated[int, "Stop after this many epochs without a better validation result; 0 for never."] = 0
    stop_steps: Annotated[
        int, "With --validate-every-steps: number of steps in place of --stop-epochs; 0 for as many as these take."
    ] = 0
    recalibrate_batch_norm: Annotated[
        bool, "Before each validation, measure the statistics of batch norm over training patches, without dropout."
    ] = False
    select_by: Annotated[
        SelectBy, "Validation metric that chooses the best checkpoint; last for the last one, whatever its metrics."
    ] = "loss"
    validate_every: Annotated[int, "Epochs between validations; the last epoch is always validated."] = 1
    validate_every_steps: Annotated[
        int, "Steps between validations, in place of epochs; the last step is always validated; 0 for --validate-every."
    ] = 0
    loss: Annotated[Loss, "auto picks cross-entropy for binary labels, mean squared error for graded ones."] = "auto"
    num_filt: Annotated[
        int,
        "Filters in the spectrogram front-end's narrowest branch; scales all filters of musicnn, vgg and short-chunk.",
    ] = ModelConfig.num_filt
    backend_filters: Annotated[
        int, "Filters of each convolution of the back-end that the spectrogram and waveform front-ends share."
    ] = ModelConfig.backend_filters
    dense_units: Annotated[
        int,
        "Width of the dense layer, which is the embedding; 0 for the published 500, 200 (musicnn) or 512 (short-chunk).",
    ] = ModelConfig.dense_units
    waveform_layers: Annotated[Literal[7, 9], "Layers in the waveform front-end."] = ModelConfig.waveform_layers
    residual_batch_norm: Annotated[
        ResidualBatchNorm, "Batch norm of residual layers: scalar, as published, or per_channel."
    ] = ModelConfig.residual_batch_norm
    dropout: Annotated[float, "Fraction of units dropped before each dense layer."] = ModelConfig.dropout
    l2: Annotated[float, "Weight decay of the kernels, added to the loss."] = ModelConfig.l2
    batch_norm_momentum: Annotated[
        float, "Fraction of the moving statistics that each step keeps; choose less for a run of few steps."
    ] = ModelConfig.batch_norm_momentum
    synchronized_batch_norm: Annotated[
        bool, "Compute batch statistics over all replicas instead of each replica's own."
    ] = True
    normalize_input: Annotated[
        bool, "Bring the input to mean 0 and deviation 1 (per band), measured on training tracks."
    ] = ModelConfig.normalize_input
    weight_decay: Annotated[float, "Decoupled weight decay of the kernels (AdamW)."] = 0.0
    clip_norm: Annotated[float, "Clip the norm of all gradients together at this value; 0 for no clipping."] = 0.0
    ema: Annotated[float, "Decay per step of a moving average of the weights to validate and keep; 0 for none."] = 0.0
    label_smoothing: Annotated[float, "Fraction by which each target is moved towards one half."] = 0.0
    class_weights: Annotated[ClassWeights, "balanced gives a tag's positives as much weight as its negatives."] = "none"
    mixup: Annotated[float, "Mixup: parameter a of the Beta(a, a) mixing shares; 0 for none, 0.2 is usual."] = 0.0
    time_masks: Annotated[int, "SpecAugment: number of time masks in each patch."] = 0
    time_mask_seconds: Annotated[float, "SpecAugment: longest time mask in seconds."] = 0.5
    frequency_masks: Annotated[int, "SpecAugment: number of frequency masks in each patch."] = 0
    frequency_mask_bands: Annotated[int, "SpecAugment: widest frequency mask in mel bands."] = 12
    pitch_shift_bands: Annotated[int, "Move log-mel patches up or down by up to this many mel bands."] = 0
    gain_db: Annotated[float, "Make patches louder or softer by up to this many dB."] = 0.0
    flip_polarity: Annotated[bool, "Invert the polarity of half of the waveforms."] = False
    init_from: Annotated[str, "Start from the best weights of this run; tags are matched by name."] = ""
    init_from_sha256: Annotated[str, "SHA-256 of those weights; taken from the run when training starts."] = ""
    checkpoint_minutes: Annotated[float, "Minutes between checkpoints; one also follows each validation."] = 10.0
    keep_checkpoints: Annotated[int, "Number of newest checkpoints to keep besides the best one."] = 2

    def __post_init__(self) -> None:
        for field, hint in config_hints().items():
            object.__setattr__(self, field, _checked(field, getattr(self, field), hint))
        if self.dense_units == 0:
            object.__setattr__(self, "dense_units", PUBLISHED_DENSE_UNITS[self.frontend])
        if self.features and not self.features.startswith(f"{self.family}-"):
            raise FieldError(
                "features", f"expected {self.family}-… for a {self.frontend} front-end, received {self.features}"
            )
        if self.max_steps and self.epochs == EPOCHS:
            object.__setattr__(self, "epochs", 0)
        require_sensible(self)
        try:
            model = self.model
            least = least_patch(model)
        except ValueError as error:
            raise UserError(str(error)) from error
        if self.patch < least:
            seconds = (
                least / SAMPLE_RATE if self.frontend == "waveform" else (least - 1) * self.hop_length / SAMPLE_RATE
            )
            raise FieldError(
                "patch_seconds",
                f"this {self.frontend} model needs at least {seconds:.2f}, received {self.patch_seconds:g}",
            )

    @property
    def model(self) -> ModelConfig:
        """The fields that describe the model."""
        names = {field.name for field in dataclasses.fields(ModelConfig)}
        return ModelConfig(**{name: value for name, value in dataclasses.asdict(self).items() if name in names})

    @property
    def part_size(self) -> int:
        """Largest number of patches that go through the model at a time, on all replicas together."""
        return self.batch_size // self.accumulate

    @property
    def counts_steps(self) -> bool:
        """Whether validations, and the patience between them, are counted in steps rather than in epochs."""
        return self.validate_every_steps > 0

    @property
    def family(self) -> Family:
        """The feature family that the front-end reads."""
        return family_of(self.frontend)

    @property
    def patch(self) -> int:
        """Length of a patch in frames, or in samples (waveform)."""
        return patch_length(self.patch_seconds, self.frontend, self.hop_length)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def option_of(field: str) -> str:
    """The command-line option of a field."""
    return f"--{field.replace('_', '-')}"


def config_hints() -> dict[str, Any]:
    """Name -> type of every field of a configuration, with its bounds and its help text."""
    hints: dict[str, Any] = {}
    for name, annotated in field_hints(TrainConfig).items():
        hint, help_words = get_args(annotated)
        bounds = (_BOUNDS[name],) if name in _BOUNDS else ()
        hints[name] = Annotated[(hint, *bounds, Meta(description=help_words))]
    return hints


def _checked(name: str, value: Any, hint: Any) -> Any:
    """`value` as the type that a field expects; whole numbers and numeric text pass as floats."""
    if isinstance(value, str) and get_args(hint)[0] is float:
        with contextlib.suppress(ValueError):
            value = float(value)
    try:
        return checked(name, value, hint)
    except InvalidValueError as error:
        raise FieldError(name, f"expected {error.expected}, received {shown(error.received)}") from error
