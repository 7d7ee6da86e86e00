"""The options of `train`: one for each field of the configuration, made from the fields themselves."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Collection
from typing import Any, Literal, get_args

import click

from schemas.validation import field_hints
from training.config import TrainConfig, option_of
from training.recipes.recipe import RECIPES

# Title in the help -> fields below it.
_FIELDS = {
    "Data": ("dataset", "label_set", "features", "train_share", "patch_seconds", "normalize_input"),
    "Model": (
        "frontend",
        "num_filt",
        "backend_filters",
        "dense_units",
        "waveform_layers",
        "residual_batch_norm",
        "dropout",
        "batch_norm_momentum",
        "synchronized_batch_norm",
        "init_from",
    ),
    "Training": (
        "epochs",
        "max_steps",
        "batch_size",
        "accumulate",
        "patches_per_track",
        "sampling",
        "learning_rate",
        "schedule",
        "plateau_epochs",
        "plateau_steps",
        "plateau_rule",
        "warmup_steps",
        "loss",
        "class_weights",
        "label_smoothing",
        "l2",
        "weight_decay",
        "clip_norm",
        "ema",
    ),
    "Augmentation": (
        "mixup",
        "time_masks",
        "time_mask_seconds",
        "frequency_masks",
        "frequency_mask_bands",
        "pitch_shift_bands",
        "gain_db",
        "flip_polarity",
    ),
    "Validation": (
        "validate_every",
        "validate_every_steps",
        "recalibrate_batch_norm",
        "select_by",
        "stop_epochs",
        "stop_steps",
    ),
    "Run": ("seed", "deterministic", "strategy", "precision", "checkpoint_minutes", "keep_checkpoints"),
}
FOUND_WHEN_TRAINING_STARTS = ("hop_length", "init_from_sha256")


def train_options(*, without: Collection[str] = ()) -> Callable[..., Any]:
    """Decorates a click command with an option per field, None where it is not given: the configuration has the default.

    Args:
        without: fields that get no option.
    """
    hints = field_hints(TrainConfig)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(dataclasses.fields(TrainConfig)):
            if field.name not in (*FOUND_WHEN_TRAINING_STARTS, *without):
                command = _option(field, hints[field.name])(command)
        return command

    return decorate


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a click command with --config and --recipe: where fields come from that no option gives."""
    recipe = click.option(
        "--recipe",
        help=f"{', '.join(RECIPES[:-1])} or {RECIPES[-1]}, fields that were measured together, or a YAML file of your own; "
        "--config and options override it. [default: paper]",
    )
    config = click.option("--config", help="YAML file, or the config.json of a run; command-line options override it.")
    return config(recipe(command))


def option_groups(*, without: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Title in the help -> the options below it.

    Args:
        without: fields that get no option.
    """
    return {
        title: tuple(option_of(field) for field in fields if field not in without) for title, fields in _FIELDS.items()
    }


def _option(field: dataclasses.Field[Any], annotated: Any) -> Callable[..., Any]:
    name = option_of(field.name)
    hint, words = get_args(annotated)
    if field.default is not dataclasses.MISSING and field.default != "":
        words = f"{words} [default: {str(field.default).lower() if hint is bool else field.default}]"
    if hint is bool:
        return click.option(f"{name}/--no-{name[2:]}", field.name, default=None, help=words)
    kind: Any = {int: click.INT, float: click.FLOAT}.get(hint, click.STRING)
    if typing.get_origin(hint) is Literal:
        choices = get_args(hint)
        kind = _Numbers(map(str, choices)) if isinstance(choices[0], int) else click.Choice(choices)
    return click.option(name, field.name, type=kind, help=words)


class _Numbers(click.Choice[str]):
    """A choice of numbers."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return int(super().convert(str(value), param, ctx))
