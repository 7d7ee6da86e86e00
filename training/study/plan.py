"""The plan of a study: each front-end is trained on nested shares of the training split, with several seeds."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any, get_args

from schemas.console.errors import UserError
from training.config import TrainConfig
from training.config_combinations import IN_STEPS
from training.config_sources import resolve_config
from training.models.config import PUBLISHED_DENSE_UNITS, Frontend, family_of

STOP_EPOCHS = 10  # passes over the whole split without a better validation result, by default


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """One training of a study.

    Attributes:
        name: name of its folder in OUT/runs.
        config: configuration for `train`.
    """

    name: str
    config: TrainConfig


@dataclasses.dataclass(frozen=True)
class StudyPlan:
    """The trainings of a study.

    Attributes:
        config: configuration of a training on the whole split; each run sets its own front-end, share and seed.
        shares: shares of the training split, ascending.
        seeds: seeds of the trainings; the first is the configuration's.
        frontends: front-ends in the order in which they were requested.
    """

    config: TrainConfig
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    frontends: tuple[Frontend, ...]

    def runs(self) -> list[StudyRun]:
        """The trainings in order: small shares first, with the front-ends of a seed next to each other."""
        return [
            StudyRun(f"{frontend}-{share:g}-seed{seed}", self._config_of(frontend, share, seed))
            for share in self.shares
            for seed in self.seeds
            for frontend in self.frontends
        ]

    def _config_of(self, frontend: Frontend, share: float, seed: int) -> TrainConfig:
        """The configuration of one training.

        An epoch of a share is shorter. Fields that count epochs are multiplied by 1 / share, unless one that counts steps
        stands in their place, so that every training may take equally many steps, is validated equally often, and stops
        after equally many steps without a better result. A dense layer of the published width has that of its own
        front-end.
        """
        in_epochs = [epochs for steps, epochs in IN_STEPS.items() if not getattr(self.config, steps)]
        longer: dict[str, Any] = {name: _epochs(getattr(self.config, name), share) for name in in_epochs}
        family = family_of(frontend)
        is_published = self.config.dense_units == PUBLISHED_DENSE_UNITS[self.config.frontend]
        return dataclasses.replace(
            self.config,
            frontend=frontend,
            train_share=share,
            seed=seed,
            dense_units=PUBLISHED_DENSE_UNITS[frontend] if is_published else self.config.dense_units,
            features=self.config.features if self.config.features.startswith(f"{family}-") else "",
            **longer,
        )


def study_config(file: str | None, overrides: dict[str, Any], frontends: str, recipe: str | None = None) -> TrainConfig:
    """The configuration of a training on the whole split, which stops early unless it is set otherwise or has a cosine.

    Args:
        file: YAML, or the config.json of a run; None for no file.
        overrides: fields given on the command line; None means that a field is not given.
        frontends: such as `spectrogram,waveform`.
        recipe: name of a recipe, or its file; None for none.

    Raises:
        UserError: see `resolve_config`.
    """
    defaults = {"frontend": parse_frontends(frontends)[0]}
    config = resolve_config(file, overrides, defaults, recipe=recipe)
    if config.schedule == "cosine" or config.select_by == "last" or config.stop_steps:  # the former two never stall
        return config
    return resolve_config(file, overrides, {**defaults, "stop_epochs": STOP_EPOCHS}, recipe=recipe)


def make_plan(config: TrainConfig, shares: str, seeds: int, frontends: str) -> StudyPlan:
    """Make a plan from the options on the command line.

    Args:
        config: configuration of a training on the whole split.
        shares: such as `1/16,1/4,1`.
        seeds: number of seeds; the first is the configuration's.
        frontends: such as `spectrogram,waveform`.

    Raises:
        UserError: one of them is invalid, or does not fit the configuration.
    """
    if seeds < 1:
        raise UserError(f"--seeds: expected at least 1, received {seeds}")
    if config.init_from:
        raise UserError(f"init_from: a study trains from fresh weights, received {config.init_from}; leave it out")
    plan = StudyPlan(
        config, parse_shares(shares), tuple(range(config.seed, config.seed + seeds)), parse_frontends(frontends)
    )
    plan.runs()  # report a patch that is too short for a front-end before the first training
    return plan


def parse_shares(text: str) -> tuple[float, ...]:
    """Parse `1/16,1/4,1` as numbers, ascending; raises UserError."""
    shares = []
    for part in text.split(","):
        try:
            share = float(Fraction(part.strip()))
        except (ValueError, ZeroDivisionError) as error:
            raise UserError(f"--shares: expected shares such as 1/16,1/4,1, received {part.strip()!r}") from error
        if not 0 < share <= 1:
            raise UserError(f"--shares: expected more than 0 and at most 1, received {part.strip()!r}")
        shares.append(share)
    if len({f"{share:g}" for share in shares}) < len(shares):
        raise UserError(f"--shares: expected each share once, received {text!r}")
    return tuple(sorted(shares))


def parse_frontends(text: str) -> tuple[Frontend, ...]:
    """Parse `spectrogram,waveform` as front-ends; raises UserError."""
    names = [part.strip() for part in text.split(",")]
    known: tuple[Frontend, ...] = get_args(Frontend)
    for name in names:
        if name not in known:
            raise UserError(f"--frontends: expected {' or '.join(known)}, or several with commas, received {name!r}")
    if len(set(names)) < len(names):
        raise UserError(f"--frontends: expected each one once, received {text!r}")
    return tuple(one for name in names for one in known if one == name)


def _epochs(of_whole: int, share: float) -> int:
    """Number of epochs of a share that take as many steps as `of_whole` epochs of the whole split; 0 stays 0."""
    return math.ceil(of_whole / share)
