"""The contestants of the quality benchmark: what is trained, each in a process of its own, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from benchmarks.quality_corpora import Corpus
from benchmarks.quality_figures import Figures, figures_of_run
from benchmarks.quality_keras import KerasFit, fit_with_keras
from benchmarks.quality_shallow import ShallowKind, fit_shallow
from benchmarks.results import cpu_seconds_of_children
from schemas.console.errors import UserError
from training.config import TrainConfig
from training.config_sources import resolve_config
from training.devices.own_process import in_own_process
from training.devices.tensorflow_import import import_tensorflow
from training.models.config import Frontend, ModelConfig
from training.runs.metrics_log import MetricsLog
from training.study.plan import StudyRun
from training.study.training_process import train_apart

PLAIN = "plain"
ADVICE = "; use a smaller --batch-size"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """What takes part.

    Attributes:
        kind: how it learns; `ours` is this project's training under a recipe.
        frontend: front-end of a network.
        recipe: recipe of ours.
    """

    kind: Literal["plain", "ours"] | ShallowKind
    frontend: Frontend = "spectrogram"
    recipe: str = ""

    @property
    def name(self) -> str:
        """Its name in --contestants."""
        if self.kind == "ours":
            return f"{self.recipe}/{self.frontend}"
        return f"{PLAIN}/{self.frontend}" if self.kind == PLAIN else self.kind

    @property
    def is_random(self) -> bool:
        """Whether a seed changes its result."""
        return self.kind in (PLAIN, "ours")


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is the same for all networks.

    Attributes:
        steps: number of steps.
        batch_size: patches in a step.
        patch_seconds: length of a patch.
        validate_every: steps between two evaluations of the validation split.
        weights: wheel of the package musicnn; None to leave the probe out.
    """

    steps: int
    batch_size: int
    patch_seconds: float
    validate_every: int
    weights: str | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a contestant.

    Attributes:
        figures: figures on the test split of each corpus in which it was tested, by its title.
        cpu_seconds: of the process that trained it and scored its own test split, imports and validations included.
        validation: (training examples seen, PR-AUC of the validation split) at each validation; none without a loop.
    """

    figures: dict[str, Figures]
    cpu_seconds: float
    validation: tuple[tuple[int, float], ...] = ()

    def examples_to(self, target: float) -> int | None:
        """Number of training examples seen when the validation PR-AUC first reached a target; None if it never did."""
        return next((seen for seen, value in self.validation if value >= target), None)


def parse_contestants(text: str) -> list[Contestant]:
    """Parse `plain,small/musicnn,logistic`: names without a slash, or RECIPE/FRONTEND; raises UserError."""
    return [_contestant(part.strip()) for part in text.split(",")]


def configuration(contestant: Contestant, corpus: Corpus, seed: int, rules: Rules) -> TrainConfig:
    """The configuration of this project's training; raises UserError if the recipe does not fit."""
    fields: dict[str, Any] = {
        "dataset": corpus.dataset,
        "label_set": corpus.label_set,
        "frontend": contestant.frontend,
        "seed": seed,
        "max_steps": rules.steps,
        "batch_size": rules.batch_size,
        "patch_seconds": rules.patch_seconds,
        "validate_every_steps": rules.validate_every,
        "stop_epochs": 0,  # all take the same number of steps
        "stop_steps": 0,
    }
    return resolve_config(None, fields, recipe=contestant.recipe)


def compete(
    contestant: Contestant, corpus: Corpus, others: Sequence[Corpus], seed: int, rules: Rules, folder: Path
) -> Outcome:
    """Train a contestant on a corpus, and test it on this one and on others.

    Args:
        contestant: what is trained.
        corpus: what it is trained, validated and tested on.
        others: what it is tested on too.
        seed: seed of a network.
        rules: what is the same for all.
        folder: a new folder for the run.

    Raises:
        TagscaleError: training or evaluation failed.
    """
    name = f"{corpus.title}, {contestant.name}"
    if contestant.kind == "ours":
        return _ours(contestant, corpus, others, seed, rules, str(folder))
    if contestant.kind == PLAIN:
        fit = KerasFit(
            model=ModelConfig(contestant.frontend),
            patch_seconds=rules.patch_seconds,
            batch_size=rules.batch_size,
            steps=rules.steps,
            validate_every=rules.validate_every,
            seed=seed,
        )
        fitted = in_own_process(fit_with_keras, fit, corpus, others, name=name, advice=ADVICE)
        return Outcome(fitted.figures, fitted.cpu_seconds, tuple(fitted.validation))
    shallow = in_own_process(fit_shallow, contestant.kind, corpus, others, rules.weights, name=name)
    return Outcome(shallow.figures, shallow.cpu_seconds)


def _ours(
    contestant: Contestant, corpus: Corpus, others: Sequence[Corpus], seed: int, rules: Rules, root: str
) -> Outcome:
    config = configuration(contestant, corpus, seed, rules)
    before = cpu_seconds_of_children()
    row = train_apart(StudyRun(contestant.name, config), root, None)
    used = cpu_seconds_of_children() - before
    figures = {corpus.title: figures_of_run(root, "test")}
    for other in others:
        evaluation = in_own_process(_evaluated, root, other.dataset, other.label_set, name=f"{root} on {other.title}")
        figures[other.title] = figures_of_run(root, evaluation)
    # The last batches of an epoch may be smaller, so examples are counted in epochs.
    per_epoch = row.tracks * config.patches_per_track
    lines = [line for line in MetricsLog(root).read() if line.get("validation_pr_auc") is not None]
    validation = tuple((round(line["epoch"] * per_epoch), line["validation_pr_auc"]) for line in lines)
    return Outcome(figures, used, validation)


def _evaluated(root: str, dataset: str, label_set: str) -> str:
    """Evaluate a run on another dataset; returns the name of the evaluation."""
    import_tensorflow()
    from training.evaluation.evaluate import evaluate

    return evaluate(root, "test", dataset=dataset, label_set=label_set).name


def _contestant(text: str) -> Contestant:
    if text == PLAIN:
        return Contestant(PLAIN)
    for kind in get_args(ShallowKind):
        if text == kind:
            return Contestant(kind)
    recipe, _, name = text.rpartition("/")
    for frontend in get_args(Frontend):
        if recipe and name == frontend:
            return Contestant(PLAIN, frontend) if recipe == PLAIN else Contestant("ours", frontend, recipe)
    raise UserError(
        f"--contestants: expected {PLAIN}, {', '.join(get_args(ShallowKind))}, or RECIPE/FRONTEND such as small/musicnn, "
        f"with a front-end of {', '.join(get_args(Frontend))}; received {text!r}"
    )
