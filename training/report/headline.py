"""The head of a report: how good the model is compared with its baselines, and what to know before trusting it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from training.baselines.kinds import NAMES
from training.evaluation.files import BASELINE_PREFIXES
from training.metrics.intervals import LEAST_GROUPS, too_few_groups
from training.report.commands import evaluate_command
from training.report.run_facts import RunFacts, is_number

_MACRO = "roc_auc_macro"
_NAMED = 10  # tags named in a sentence
_CRITERIA = {
    **{"loss": "by validation loss", "roc_auc": "by validation ROC-AUC", "pr_auc": "by validation PR-AUC"},
    "last": "which is the last one",
}
# Columns of the table of models: title, and the field without the model's prefix.
_METRICS = (
    ("ROC-AUC, macro", "roc_auc_macro"),
    ("PR-AUC, macro", "pr_auc_macro"),
    ("ROC-AUC, micro", "roc_auc_micro"),
    ("PR-AUC, micro", "pr_auc_micro"),
    ("F1, macro", "f1_macro"),
    ("F1, micro", "f1_micro"),
    ("√MSE", "sqrt_mse"),
)


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """The run's model or a baseline in the table of models.

    Attributes:
        name: name of the model, in words.
        is_baseline: whether it is a baseline rather than the run's own model.
        metrics: each column's metric in the evaluation and the ends of its interval; None if there is no interval.
    """

    name: str
    is_baseline: bool
    metrics: list[tuple[Any, tuple[float, float] | None]]


@dataclasses.dataclass(frozen=True)
class Headline:
    """The head of a report.

    Attributes:
        criterion: what chooses the best epoch, in words.
        columns: titles of the metrics in the table of models.
        models: rows of that table, the run's own model first; empty without an evaluation.
        footnote: how the figures were obtained; empty without an evaluation.
        findings: what to know before trusting the figures, a sentence each.
    """

    criterion: str
    columns: list[str]
    models: list[ModelRow]
    footnote: str
    findings: list[str]


def headline(facts: RunFacts) -> Headline:
    """Gather the head of a report."""
    evaluation = facts.evaluation or {}
    # The run's own model has no prefix and comes first.
    prefixes = sorted(name.removesuffix(_MACRO) for name in evaluation if name.endswith(_MACRO))
    columns = [(title, name) for title, name in _METRICS if any(prefix + name in evaluation for prefix in prefixes)]
    return Headline(
        criterion=_CRITERIA[facts.config.select_by],
        columns=[title for title, _ in columns],
        models=[
            ModelRow(
                name=_model_name(facts, prefix),
                is_baseline=prefix != "",
                metrics=[
                    (evaluation.get(prefix + name), _interval(evaluation.get(f"{prefix}{name}_interval")))
                    for _, name in columns
                ],
            )
            for prefix in prefixes
        ],
        footnote="" if facts.evaluation is None else _footnote(facts.evaluation),
        findings=list(_findings(facts)),
    )


def _findings(facts: RunFacts) -> Iterator[str]:
    evaluation, best = facts.evaluation, facts.best_epoch
    if not facts.epochs:
        yield f"No {'epoch has been finished' if facts.unit == 'epoch' else 'step has been validated'} yet."
    if evaluation is None:
        if facts.epochs:
            yield f"Not evaluated yet; the figures are from validation during training. To evaluate: {evaluate_command(facts)}"
        return
    if best is not None and is_number(evaluation.get("epoch")) and evaluation["epoch"] != best["epoch"]:
        yield (
            f"Epoch {evaluation['epoch']} was evaluated, and epoch {best['epoch']} is now the best; "
            f"evaluate again: {evaluate_command(facts)}"
        )
    undefined = evaluation.get("tags_undefined") or []
    if undefined:
        more = f" and {len(undefined) - _NAMED} more" if len(undefined) > _NAMED else ""
        yield (
            f"Left out of the means, because no {facts.split} track has them, or every one has: "
            f"{', '.join(undefined[:_NAMED])}{more}"
        )
    better = [
        tag for tag in facts.tags if tag.number("baseline_pr_auc") > tag.number("pr_auc")
    ]  # NaN compares false: without a baseline the list is empty
    if better:
        yield (
            f"The logistic regression has a better PR-AUC for {len(better)} of {len(facts.tags)} tags: "
            f"{', '.join(tag.tag for tag in better[:_NAMED])}{'…' if len(better) > _NAMED else ''}"
        )


def _footnote(evaluation: dict[str, Any]) -> str:
    """How the figures were obtained; evaluations of earlier versions do not hold the number of groups."""
    taken = "Scores are averaged over the patches of a track, with one row per track; 95 % intervals are over "
    if not is_number(evaluation.get("groups")):
        return f"{taken}tracks."
    groups: int = evaluation["groups"]
    if _interval(evaluation.get(f"{_MACRO}_interval")) is None and groups < LEAST_GROUPS:
        return f"{taken}whole groups; {too_few_groups(groups)}."
    return f"{taken}{groups:,} whole groups (artists)."


def _interval(ends: Any) -> tuple[float, float] | None:
    if not isinstance(ends, list) or len(ends) != 2 or not all(map(is_number, ends)):
        return None
    return ends[0], ends[1]


def _model_name(facts: RunFacts, prefix: str) -> str:
    if not prefix:
        return f"{facts.config.frontend} model"
    return next((NAMES[kind] for kind, of in BASELINE_PREFIXES.items() if of == prefix), prefix)
