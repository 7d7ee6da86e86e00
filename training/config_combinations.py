"""Combinations of a configuration's fields that make no sense, each refused by the name of the field to leave out."""

from __future__ import annotations

import dataclasses
from typing import Any

from schemas.console.errors import UserError
from training.models.config import family_of

# Field that counts steps -> field that counts epochs, in whose place it stands.
IN_STEPS = {
    "max_steps": "epochs",
    "validate_every_steps": "validate_every",
    "plateau_steps": "plateau_epochs",
    "stop_steps": "stop_epochs",
}
# Family -> what those front-ends are called that read it, and the fields for them alone.
_OF_A_FAMILY = {
    "logmel": ("spectrogram", ("time_masks", "frequency_masks", "pitch_shift_bands")),
    "waveform": ("waveform", ("flip_polarity",)),
}


class FieldError(UserError):
    """A field of a configuration has a wrong value.

    Args:
        field: name of the field.
        problem: what was expected and what was received.
        shown: name of the field in the place where its value came from.
    """

    def __init__(self, field: str, problem: str, shown: str = "") -> None:
        super().__init__(f"{shown or field}: {problem}")
        self.field, self.problem = field, problem

    def __reduce__(self) -> tuple[Any, ...]:  # the error may be raised in another process
        return UserError, (str(self),)


def fields_of_other_families(frontend: Any) -> set[str]:
    """The fields that only front-ends of another feature family than this one's have."""
    return {name for family, (_, names) in _OF_A_FAMILY.items() if family != family_of(frontend) for name in names}


def require_sensible(config: Any) -> None:
    """Raise FieldError if fields of a configuration contradict each other.

    Args:
        config: a TrainConfig, whose module imports this one.
    """
    for family, (reader, names) in _OF_A_FAMILY.items():
        for name in names:
            if getattr(config, name) and config.family != family:
                raise FieldError(name, f"is for a {reader} front-end, received a {config.frontend} one; leave it out")
    for name in ("patches_per_track", "accumulate"):
        if config.batch_size % getattr(config, name):
            raise FieldError(
                "batch_size", f"expected a multiple of {name} {getattr(config, name)}, received {config.batch_size}"
            )
    if config.schedule == "cosine":
        _require_no_plateau(config)
    if config.select_by == "last":
        for name in ("stop_epochs", "stop_steps"):
            if getattr(config, name):
                raise FieldError(
                    name,
                    f"the last checkpoint is always the best by select_by last, received {getattr(config, name)}; leave "
                    "it out, or choose another select_by",
                )
    _require_one_unit(config)


def _require_no_plateau(config: Any) -> None:
    if config.plateau_rule != "since-best":
        raise FieldError(
            "plateau_rule", f"a cosine has no plateaus, received {config.plateau_rule}; leave one of the two out"
        )
    if config.plateau_steps:
        raise FieldError(
            "plateau_steps", f"a cosine has no plateaus, received {config.plateau_steps}; leave one of the two out"
        )
    for name, unit in (("stop_epochs", "epoch"), ("stop_steps", "step")):
        if getattr(config, name):
            raise FieldError(
                name, f"a cosine ends with the last {unit}, received {getattr(config, name)}; leave one of the two out"
            )


def _require_one_unit(config: Any) -> None:
    """What is given in steps stands in place of what is given in epochs."""
    if not config.max_steps and not config.epochs:
        raise FieldError("epochs", "expected at least 1, received 0; only a run with max_steps has no number of epochs")
    defaults = {field.name: field.default for field in dataclasses.fields(config)} | {"epochs": 0}
    for steps, epochs in IN_STEPS.items():
        if getattr(config, steps) and getattr(config, epochs) != defaults[epochs]:
            raise FieldError(
                epochs,
                f"says in epochs what {steps} says in steps, received {getattr(config, epochs)} and {getattr(config, steps)}; "
                "leave one of the two out",
            )
    for name in ("plateau_steps", "stop_steps"):
        if getattr(config, name) and not config.counts_steps:
            raise FieldError(
                name,
                f"counts the steps between validations every so many steps, received {getattr(config, name)}; give "
                "validate_every_steps too",
            )
