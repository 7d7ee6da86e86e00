"""MODEL_CARD.md: what a model is, what it was trained on, how good it is, and from which score on it assigns a tag."""

from __future__ import annotations

import math
from typing import Any

from schemas.model_calibration import RELIABILITY_NAME
from training.evaluation.split_scores import own_evaluation
from training.report.run_facts import TagResult, read_evaluation
from training.runs.trained import TrainedRun
from training.serving.calibration import FOLDS, CalibrationFit
from training.serving.network_words import networks_counted
from training.serving.smaller_weights import WeightsCost
from training.serving.thresholds import Chosen

CARD_NAME = "MODEL_CARD.md"

_FIGURES = {
    "ROC-AUC (macro)": "roc_auc_macro",
    "PR-AUC (macro)": "pr_auc_macro",
    "ROC-AUC (micro)": "roc_auc_micro",
    "PR-AUC (micro)": "pr_auc_micro",
    "F1 at the thresholds (macro)": "f1_macro",
}
_SPLITS = ("train", "validation", "test")
_NOT_ANNOTATED = {"negative": "counted as absent", "unknown": "left out"}


def model_card(
    run: TrainedRun,
    thresholds: Chosen,
    licence: str | None,
    calibration: CalibrationFit | None = None,
    weights: WeightsCost | None = None,
) -> str:
    """A page in Markdown, whose head repositories of models read; the same run gives the same bytes.

    Results are those of the evaluation on the test split, if there is one of these very weights on the run's own labels.

    Args:
        run: the run.
        thresholds: those of its tags.
        licence: SPDX identifier or name of the model's licence; None if none is stated.
        calibration: what calibrates the scores; None if nothing does.
        weights: what smaller weights cost; None if they are float32.
    """
    results, per_tag = _results(run)
    manifest = run.labels.manifest
    rows = []
    for tag, threshold, result in zip(run.labels.vocabulary, thresholds.values, per_tag, strict=True):
        row = [tag, "none: no validation track has it" if threshold is None else f"{threshold:.3f}"]
        if result is not None:
            row += [_number(result.number("roc_auc")), _number(result.number("pr_auc")), str(result.positives)]
        rows.append(row)
    card: str = card_template("model_card.md.j2").render(
        networks=networks_counted([one.config.frontend for one in run.members or (run,)]),
        labels=run.labels.reference,
        sample_rate=run.spec.sample_rate,
        patch_seconds=run.config.patch_seconds,
        embedding=int(run.model.output["embedding"].shape[-1]),
        counts=[(side, manifest.counts[side]) for side in _SPLITS],
        values=manifest.label_set["values"],
        not_annotated=_NOT_ANNOTATED[manifest.label_set["missing"]],
        results=results,
        threshold_tracks=thresholds.tracks,
        rows=rows,
        licence=licence,
        calibration=calibration,
        folds=FOLDS,
        weights=weights,
        reliability_name=RELIABILITY_NAME,
    )
    return card


def card_template(name: str) -> Any:
    """A template of a card, whose filters spell cells and numbers."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("training.serving"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(cell=_cell, number=_number)
    return environment.get_template(name)


def _results(run: TrainedRun) -> tuple[dict[str, Any] | None, list[TagResult] | list[None]]:
    found, tags = read_evaluation(run.folder, own_evaluation(run.checkpoint, "test", is_ensemble=bool(run.members)))
    if found is None or found["checkpoint"] != run.checkpoint or found["label_set"] != run.labels.reference:
        return None, [None] * len(run.labels.vocabulary)
    figures = [
        (name, _number(found[field]), _interval(found.get(f"{field}_interval"))) for name, field in _FIGURES.items()
    ]
    return {"tracks": found["tracks"], "figures": figures}, tags


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _interval(ends: list[float | None] | None) -> str:
    return " to ".join(map(_number, ends)) if ends else ""


def _cell(text: str) -> str:
    """Text that neither ends a cell of a table nor is taken for HTML or a format."""
    spelled = "".join(f"\\{letter}" if letter in "\\`*_[]<>|#$~&" else letter for letter in text)
    return " ".join(spelled.split())
