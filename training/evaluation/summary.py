"""The closing words of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator

from schemas.console.report import Column, Line, Report, Table, following, heading
from schemas.console.shown_commands import training_command
from training.baselines.kinds import NAMES
from training.evaluation.files import Evaluation
from training.metrics.intervals import LEAST_GROUPS, too_few_groups
from training.metrics.tagging import Metrics


def evaluation_report(result: Evaluation) -> Report:
    """The figures, what was left out, what was written, and what to type next."""
    return Report.of(_parts(result))


def _parts(result: Evaluation) -> Iterator[Line | Table]:
    labels = result.mapping.labels.reference
    metrics = result.metrics
    yield heading(
        f"{' + '.join(result.runs) or result.run} on {result.tracks:,} {result.split} "
        f"{'tracks' if result.tracks > 1 else 'track'}, "
        f"{metrics.tags_defined} of {len(result.vocabulary)} tags, per track, 95 % intervals over "
        f"{metrics.groups:,} whole {'group' if metrics.groups == 1 else 'groups'}:"
    )
    yield _figures({"model": metrics} | {NAMES[kind]: found for kind, found in result.baselines.items()}, result.graded)
    few = metrics.groups < LEAST_GROUPS or 0 < metrics.roc_auc_macro < 1  # no spread is known of a perfect ranking
    if metrics.tags_defined and math.isnan(metrics.roc_auc_interval[0]) and few:
        yield Line(f"  {too_few_groups(metrics.groups)}")
    decisions = result.decisions
    if result.threshold_problem:
        yield Line(f"  no thresholds: {result.threshold_problem}")
    else:
        yield Line(
            f"  {'F1 by thresholds':<22} macro {_number(decisions.f1_macro)}   micro {_number(decisions.f1_micro)}   "
            f"(chosen on {result.threshold_tracks:,} validation tracks)"
        )
    if result.undefined:
        yield Line(f"  tags without a positive or without a negative: {', '.join(result.undefined)}")
    if result.removed:
        yield Line(f"  {result.removed:,} tracks of the split were left out: they were removed from the dataset")
    if result.mapping.unknown:
        yield Line(f"  tags of {labels} that the model lacks: {', '.join(result.mapping.unknown)}")
    if result.mapping.unused:
        yield Line(f"  tags of the model that {labels} lacks: {', '.join(result.mapping.unused)}")
    if result.seen:
        yield Line(f"  {result.seen:,} tracks were left out: the model was trained or chosen by them")
    files = ", ".join(
        f"{result.name}{end}" for end in ("_per_tag.csv", "_scores.parquet", "_per_tag.png", "_curves.png")
    )
    yield Line(f"  written to {result.run}/evaluation/{result.name}.json, {files}")
    model = "ensemble" if result.runs else f"{result.run}/saved_model"
    yield following(training_command("export", "--run", result.run, *result.runs[1:], "--out", model))


def _figures(of_models: dict[str, Metrics], graded: bool) -> Table:
    rows: list[tuple[str, str, str]] = []
    for name, metrics in of_models.items():
        macro = _pair(metrics.roc_auc_macro, metrics.roc_auc_interval, metrics.pr_auc_macro, metrics.pr_auc_interval)
        micro = _pair(
            metrics.roc_auc_micro, metrics.roc_auc_micro_interval, metrics.pr_auc_micro, metrics.pr_auc_micro_interval
        )
        rows += [(name, *macro), ("  micro", *micro)]
        if graded:
            rows.append(("  sqrt(MSE)", _with_ends(metrics.sqrt_mse, metrics.sqrt_mse_interval), ""))
    return Table((Column(width=22), Column(gap=" "), Column(gap="   ")), tuple(rows))


def _pair(
    roc_auc: float, roc_ends: tuple[float, float], pr_auc: float, pr_ends: tuple[float, float]
) -> tuple[str, str]:
    return f"ROC-AUC {_with_ends(roc_auc, roc_ends)}", f"PR-AUC {_with_ends(pr_auc, pr_ends)}"


def _with_ends(value: float, ends: tuple[float, float]) -> str:
    return _number(value) if math.isnan(ends[0]) else f"{value:.4f} [{ends[0]:.4f}, {ends[1]:.4f}]"


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.4f}"
