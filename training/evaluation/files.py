"""The results of an evaluation, as JSON and as a table with a row per tag."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping
from typing import Any

from schemas.user_files.spreadsheet import text_cell
from training.baselines.kinds import BaselineKind
from training.data.label_mapping import LabelMapping
from training.metrics.tagging import Metrics
from training.metrics.thresholds import Decisions
from training.runs.trained import TrainedRun
from training.runs.undefined_numbers import without_nan

# Prefixes of a baseline's figures in the JSON and in the table.
BASELINE_PREFIXES: dict[BaselineKind, str] = {"logistic": "baseline_", "trees": "trees_"}


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation.

    Attributes:
        run: the run's folder; of an ensemble, that of the first run.
        split: split that was evaluated.
        tracks: number of tracks evaluated: the split's, except those that were removed from the dataset since.
        removed: number of tracks that were removed from the dataset since.
        seen: number of tracks left out because the model was trained or chosen by them; 0 on its own labels.
        mapping: the labels, and which tags the model shares with them.
        metrics: metrics of the model.
        decisions: decisions by the thresholds that are best on validation.
        threshold_tracks: number of validation tracks that the thresholds come from.
        threshold_problem: why there are no thresholds; empty if there are.
        baselines: metrics of each baseline that was requested.
        name: name of its files in evaluation/, without extensions.
        runs: folders of an ensemble's runs; none for a single run.
    """

    run: str
    split: str
    tracks: int
    removed: int
    seen: int
    mapping: LabelMapping
    metrics: Metrics
    decisions: Decisions
    threshold_tracks: int
    threshold_problem: str
    baselines: Mapping[BaselineKind, Metrics]
    name: str
    runs: tuple[str, ...] = ()

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The evaluated tags."""
        return self.mapping.tags

    @property
    def graded(self) -> bool:
        """Whether the labels are graded, in which case the error is reported too."""
        return bool(self.mapping.labels.manifest.label_set["values"] == "graded")

    @property
    def undefined(self) -> tuple[str, ...]:
        """Tags without a positive or without a negative."""
        pairs = zip(self.vocabulary, self.metrics.per_tag, strict=True)
        return tuple(tag for tag, one in pairs if math.isnan(one.roc_auc))


def evaluation_json(result: Evaluation, run: TrainedRun) -> dict[str, Any]:
    """The fields of evaluation/NAME.json; undefined values are null."""
    labels = result.mapping.labels
    fields = {
        "format": 1,
        "split": result.split,
        "tracks": result.tracks,
        "tracks_removed": result.removed,
        "tags": len(result.vocabulary),
        "tags_defined": result.metrics.tags_defined,
        "tags_undefined": list(result.undefined),
        "label_set": labels.reference,
        "trained_on": run.labels.reference,
        "tags_unknown_to_the_model": list(result.mapping.unknown),
        "tags_unused": list(result.mapping.unused),
        "tracks_seen_in_training": result.seen,
        "epoch": run.state.best_epoch,
        "checkpoint": run.checkpoint,
        **({"runs": list(result.runs)} if result.runs else {}),
        "positive_at": labels.positive_at,
        "groups": result.metrics.groups,
        **_figures(result.metrics, result.graded, ""),
        "f1_macro": result.decisions.f1_macro,
        "f1_micro": result.decisions.f1_micro,
        "thresholds_from": {
            "split": "validation",
            "tracks": result.threshold_tracks,
            "tags": sum(not math.isnan(tag.threshold) for tag in result.decisions.per_tag),
        },
        **{
            name: value
            for kind, metrics in result.baselines.items()
            for name, value in _figures(metrics, result.graded, BASELINE_PREFIXES[kind]).items()
        },
    }
    defined: dict[str, Any] = without_nan(fields)
    return defined


def evaluation_csv(result: Evaluation) -> bytes:
    """A table with a row per tag; undefined cells are empty. It may be opened in a spreadsheet: see `text_cell`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    beside = [f"{BASELINE_PREFIXES[kind]}{area}" for kind in result.baselines for area in ("roc_auc", "pr_auc")]
    decided = ["threshold", "precision", "recall", "f1"]
    writer.writerow(["tag", "positives", "tracks", "roc_auc", "pr_auc", *decided, *beside])
    per_tag = zip(result.vocabulary, result.metrics.per_tag, result.decisions.per_tag, strict=True)
    for number, (tag, one, decisions) in enumerate(per_tag):
        row: list[Any] = [text_cell(tag), one.positives, one.tracks, _cell(one.roc_auc), _cell(one.pr_auc)]
        # Nine digits restore the float32 exactly, so that tracks at the threshold stay on its side.
        row.append("" if math.isnan(decisions.threshold) else f"{decisions.threshold:.9g}")
        row += [_cell(decisions.precision), _cell(decisions.recall), _cell(decisions.f1)]
        for metrics in result.baselines.values():
            floor = metrics.per_tag[number]
            row += [_cell(floor.roc_auc), _cell(floor.pr_auc)]
        writer.writerow(row)
    return text.getvalue().encode()


def _figures(metrics: Metrics, graded: bool, prefix: str) -> dict[str, Any]:
    figures = {
        "roc_auc_macro": (metrics.roc_auc_macro, metrics.roc_auc_interval),
        "pr_auc_macro": (metrics.pr_auc_macro, metrics.pr_auc_interval),
        "roc_auc_micro": (metrics.roc_auc_micro, metrics.roc_auc_micro_interval),
        "pr_auc_micro": (metrics.pr_auc_micro, metrics.pr_auc_micro_interval),
        **({"sqrt_mse": (metrics.sqrt_mse, metrics.sqrt_mse_interval)} if graded else {}),
    }
    fields: dict[str, Any] = {}
    for name, (value, ends) in figures.items():
        fields[f"{prefix}{name}"] = value
        fields[f"{prefix}{name}_interval"] = ends
    return fields


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"
