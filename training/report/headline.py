"""The head of a report: what was trained on what, how good it is, and what to know before one believes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.console.page import bullets, table, text, tiles
from training.baselines.kinds import NAMES
from training.evaluation.files import BASELINE_PREFIXES
from training.metrics.intervals import LEAST_GROUPS, too_few_groups
from training.report.cells import figure, interval, quiet
from training.report.commands import evaluate_command
from training.report.label_counts import LabelCounts
from training.report.run_facts import RunFacts, is_number

_MACRO = "roc_auc_macro"
_NAMED = 10  # tags named in a sentence
_CRITERIA = {"loss": "loss", "roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}
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


def headline(facts: RunFacts, labels: LabelCounts | str) -> Iterator[str]:
    """Title, figures, the model beside its baselines, and findings."""
    config, evaluation = facts.config, facts.evaluation
    yield f"<h1>{text(facts.root)}</h1>"
    yield quiet(
        f"{config.frontend} front-end on {config.features or 'the built features'}, label set {config.label_set}, "
        f"patches of {config.patch_seconds:g} s, seed {config.seed}"
    )
    yield tiles(_tiles(facts, labels))
    if evaluation is not None:
        yield _models(facts, evaluation)
        yield quiet(_footnote(evaluation))
    found = list(findings(facts))
    if found:
        yield bullets(found)


def findings(facts: RunFacts) -> Iterator[str]:
    """What a reader should know before believing the figures, plain text."""
    evaluation, best = facts.evaluation, facts.best_epoch
    if not facts.epochs:
        yield "No epoch has been finished yet."
    if evaluation is None:
        if facts.epochs:
            yield f"Not evaluated yet; the figures are those of its validations while it was trained: {evaluate_command(facts)}"
        return
    if best is not None and is_number(evaluation.get("epoch")) and evaluation["epoch"] != best["epoch"]:
        yield (
            f"Epoch {evaluation['epoch']} was evaluated, and epoch {best['epoch']} is the best by now; "
            f"evaluate again: {evaluate_command(facts)}"
        )
    undefined = evaluation.get("tags_undefined") or []
    if undefined:
        more = f" and {len(undefined) - _NAMED} more" if len(undefined) > _NAMED else ""
        yield (
            f"Left out of the means, since no {facts.split} track has them, or none is without: "
            f"{', '.join(undefined[:_NAMED])}{more}"
        )
    better = [
        tag for tag in facts.tags if tag.number("baseline_pr_auc") > tag.number("pr_auc")
    ]  # NaN compares false: without a baseline there is none
    if better:
        yield (
            f"The logistic regression has the better PR-AUC in {len(better)} of {len(facts.tags)} tags: "
            f"{', '.join(tag.tag for tag in better[:_NAMED])}{'…' if len(better) > _NAMED else ''}"
        )


def _footnote(evaluation: dict[str, Any]) -> str:
    """How the figures were taken; an evaluation of an earlier version does not say over how many groups."""
    taken = "Scores averaged over the patches of a track, one row per track; 95 % intervals over "
    if not is_number(evaluation.get("groups")):
        return f"{taken}tracks."
    groups: int = evaluation["groups"]
    if not interval(evaluation.get(f"{_MACRO}_interval")) and groups < LEAST_GROUPS:
        return f"{taken}whole groups; {too_few_groups(groups)}."
    return f"{taken}{groups:,} whole groups (artists)."


def _tiles(facts: RunFacts, labels: LabelCounts | str) -> Iterator[tuple[str, str]]:
    evaluation, best = facts.evaluation, facts.best_epoch
    if evaluation is not None:
        yield figure(evaluation.get("roc_auc_macro")), f"ROC-AUC, macro, {facts.split}"
        yield figure(evaluation.get("pr_auc_macro")), f"PR-AUC, macro, {facts.split}"
        yield f"{evaluation.get('tracks', 0):,}", f"{facts.split} tracks"
        yield f"{evaluation.get('tags_defined', 0):,} of {evaluation.get('tags', 0):,}", "tags in the means"
    elif best is not None:
        yield figure(best.get("validation_roc_auc")), "ROC-AUC, macro, validation"
        yield figure(best.get("validation_pr_auc")), "PR-AUC, macro, validation"
    if not isinstance(labels, str):
        yield f"{labels.tracks['train']:,}", "training tracks"
    if best is not None:
        yield (
            f"{best['epoch']} of {len(facts.epochs)}",
            f"best epoch, by validation {_CRITERIA[facts.config.select_by]}",
        )


def _models(facts: RunFacts, evaluation: dict[str, Any]) -> str:
    """The model beside every baseline that was evaluated with it."""
    prefixes = sorted(name.removesuffix(_MACRO) for name in evaluation if name.endswith(_MACRO))
    columns = [(title, name) for title, name in _METRICS if any(prefix + name in evaluation for prefix in prefixes)]
    return table(
        ["model", *(f"#{title}" for title, _ in columns)],
        [
            [
                _model_name(facts, prefix),
                *(
                    f"{figure(evaluation.get(prefix + name))} {interval(evaluation.get(f'{prefix}{name}_interval'))}"
                    for _, name in columns
                ),
            ]
            for prefix in prefixes
        ],
    )


def _model_name(facts: RunFacts, prefix: str) -> str:
    if not prefix:
        return f"<b>{text(facts.config.frontend)} model</b>"
    return next((text(NAMES[kind]) for kind, of in BASELINE_PREFIXES.items() if of == prefix), text(prefix))
