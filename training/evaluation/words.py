"""What an evaluation found, as the lines that the terminal shows."""

from __future__ import annotations

import math

from schemas.console.shown_commands import training_command
from schemas.console.terminal import visible
from training.baselines.kinds import NAMES
from training.evaluation.files import Evaluation
from training.metrics.intervals import LEAST_GROUPS, too_few_groups
from training.metrics.tagging import Metrics


def evaluation_words(result: Evaluation) -> str:
    """A closing summary: the figures, what was left out, what was written, and what comes next."""
    labels = result.mapping.labels.reference
    metrics = result.metrics
    lines = [
        f"{result.run} on {result.tracks:,} {result.split} {'tracks' if result.tracks > 1 else 'track'}, "
        f"{metrics.tags_defined} of {len(result.vocabulary)} tags, per track, 95 % intervals over "
        f"{metrics.groups:,} whole {'group' if metrics.groups == 1 else 'groups'}:"
    ]
    lines += _figures("model", metrics, result.graded)
    for kind, of_baseline in result.baselines.items():
        lines += _figures(NAMES[kind], of_baseline, result.graded)
    few = metrics.groups < LEAST_GROUPS or 0 < metrics.roc_auc_macro < 1  # no spread is known of a perfect ranking
    if metrics.tags_defined and math.isnan(metrics.roc_auc_interval[0]) and few:
        lines.append(f"  {too_few_groups(metrics.groups)}")
    decisions = result.decisions
    if result.threshold_problem:
        lines.append(f"  no thresholds: {result.threshold_problem}")
    else:
        lines.append(
            f"  {'F1 by thresholds':<22} macro {_number(decisions.f1_macro)}   micro {_number(decisions.f1_micro)}   "
            f"(chosen on {result.threshold_tracks:,} validation tracks)"
        )
    if result.undefined:
        lines.append(f"  tags without a positive or without a negative: {', '.join(result.undefined)}")
    if result.removed:
        lines.append(f"  {result.removed:,} tracks of the split were left out: they were removed from the dataset")
    if result.mapping.unknown:
        lines.append(f"  tags of {labels} that the model lacks: {', '.join(result.mapping.unknown)}")
    if result.mapping.unused:
        lines.append(f"  tags of the model that {labels} lacks: {', '.join(result.mapping.unused)}")
    if result.seen:
        lines.append(f"  {result.seen:,} tracks were left out: the model was trained or chosen by them")
    files = ", ".join(
        f"{result.name}{end}" for end in ("_per_tag.csv", "_scores.parquet", "_per_tag.png", "_curves.png")
    )
    lines.append(f"  written to {result.run}/evaluation/{result.name}.json, {files}")
    lines.append(f"next: {training_command('export', '--run', result.run, '--out', f'{result.run}/saved_model')}")
    return "\n".join(map(visible, lines))


def _figures(name: str, metrics: Metrics, graded: bool) -> list[str]:
    lines = []
    for label, roc, roc_ends, pr, pr_ends in (
        (name, metrics.roc_auc_macro, metrics.roc_auc_interval, metrics.pr_auc_macro, metrics.pr_auc_interval),
        ("  micro", metrics.roc_auc_micro, metrics.roc_auc_micro_interval, metrics.pr_auc_micro, metrics.pr_auc_micro_interval),
    ):  # fmt: skip
        lines.append(f"  {label:<22} ROC-AUC {_with_ends(roc, roc_ends)}   PR-AUC {_with_ends(pr, pr_ends)}")
    if graded:
        lines.append(f"  {'  sqrt(MSE)':<22} {_with_ends(metrics.sqrt_mse, metrics.sqrt_mse_interval)}")
    return lines


def _with_ends(value: float, ends: tuple[float, float]) -> str:
    return _number(value) if math.isnan(ends[0]) else f"{value:.4f} [{ends[0]:.4f}, {ends[1]:.4f}]"


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.4f}"
