"""Evaluate a run on a split: every track once, exact metrics, JSON and a table per tag."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.errors import DatasetError
from schemas.features import FeatureSpec
from schemas.label_version import open_labels
from schemas.progress import Progress
from schemas.storage import write_atomic
from training.baseline import band_statistics, baseline_scores
from training.label_mapping import LabelMapping, map_labels, unseen
from training.labels import labelled_tracks
from training.metrics import BOOTSTRAP_SAMPLES, Metrics, tagging_metrics
from training.records import TrackRecords
from training.scoring import TrackScorer
from training.staging import Stage, open_stage
from training.trained import TrainedRun, open_run


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        run: the run's folder.
        split: which split.
        tracks: tracks evaluated; equals the split's, less those that were removed from the dataset since.
        removed: how many those are.
        seen: tracks left out because the model was trained or chosen by them; 0 on its own labels.
        mapping: the labels, and which tags the model shares with them.
        metrics: of the model.
        baseline: of the logistic regression; None where it was not asked for.
        name: of its files in evaluation/, without their endings.
    """

    run: str
    split: str
    tracks: int
    removed: int
    seen: int
    mapping: LabelMapping
    metrics: Metrics
    baseline: Metrics | None
    name: str

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Tags evaluated."""
        return self.mapping.tags


def evaluate(
    root: str,
    split: str = "test",
    *,
    label_set: str | None = None,
    baseline: bool = False,
    stage: str | None = None,
) -> Evaluation:
    """Evaluate the best epoch of a run.

    Writes evaluation/SPLIT.json and evaluation/SPLIT_per_tag.csv into the run; against other labels than its own
    SPLIT-NAME@HASH.json and SPLIT-NAME@HASH_per_tag.csv.

    Args:
        root: the run's folder.
        split: train, validation or test.
        label_set: NAME or NAME@HASH to evaluate against, tags matched by name; None for what it was trained on.
        baseline: also fit a logistic regression on the training split's log-mel statistics and evaluate it alike.
        stage: folder on a local disk that payloads are copied to ahead of use; None to read them where they lie.

    Raises:
        UserError: no such run, split or label set, or one without a tag or an unseen track for the model.
        DatasetError: the features on disk do not fit.
    """
    with open_stage(stage) as copies:
        run = open_run(root)
        asked = run.labels if label_set is None else open_labels(run.dataset, label_set)
        return _evaluate(run, root, split, map_labels(run.labels, asked), baseline, copies)


def _evaluate(
    run: TrainedRun, root: str, split: str, mapping: LabelMapping, baseline: bool, stage: Stage | None
) -> Evaluation:
    records, seen = _records(run, mapping, split, run.spec, stage)
    scorer = TrackScorer(run.model, run.config.patch, run.config.batch_size)
    with Progress("evaluate", len(records.tracks), "tracks") as progress:
        scores = scorer.scores(records, on_progress=progress.update)
    expected = mapping.labels.manifest.counts[split] - records.tracks.removed - seen
    if scores.shape[0] != expected or not np.isfinite(scores).all():
        raise DatasetError(
            f"{root}: expected finite scores of {expected} {split} tracks, received "
            f"{int(np.isfinite(scores).all(axis=1).sum())}"
        )
    positive_at = float(mapping.labels.manifest.label_set["positive_at"])
    metrics = tagging_metrics(records.tracks.targets, scores[:, mapping.outputs], positive_at=positive_at)
    floor = _baseline(run, mapping, split, positive_at, stage) if baseline else None
    tracks = records.tracks
    own = mapping.labels.reference == run.labels.reference
    name = split if own else f"{split}-{mapping.labels.reference}"
    result = Evaluation(root, split, len(tracks), tracks.removed, seen, mapping, metrics, floor, name)
    run.folder.write_json(run.folder.evaluation(f"{name}.json"), _as_json(result, run))
    write_atomic(run.folder.evaluation(f"{name}_per_tag.csv"), _as_csv(result))
    return result


def _records(
    run: TrainedRun, mapping: LabelMapping, split: str, spec: FeatureSpec, stage: Stage | None
) -> tuple[TrackRecords, int]:
    tracks = mapping.targets_of(labelled_tracks(run.dataset, mapping.labels, spec, split))
    seen = 0
    if mapping.labels.reference != run.labels.reference:
        tracks, seen = unseen(tracks, run.labels, mapping.labels.reference)
    records = TrackRecords(run.dataset, tracks, stage)
    if stage is not None:
        stage.begin(records.payloads(range(len(records.tracks))))
    return records, seen


def _baseline(run: TrainedRun, mapping: LabelMapping, split: str, positive_at: float, stage: Stage | None) -> Metrics:
    spec = run.dataset.spec("logmel")
    (train, _), (test, _) = (_records(run, mapping, side, spec, stage) for side in ("train", split))
    with Progress("baseline", len(train.tracks) + len(test.tracks), "tracks") as progress:
        known: npt.NDArray[np.float32] = band_statistics(train, progress.update)
        asked = band_statistics(test, lambda done: progress.update(len(train.tracks) + done))
    scores = baseline_scores(known, train.tracks.targets, asked, positive_at)
    return tagging_metrics(test.tracks.targets, scores, positive_at=positive_at)


def _as_json(result: Evaluation, run: TrainedRun) -> dict[str, Any]:
    def means(metrics: Metrics, prefix: str) -> dict[str, Any]:
        return {
            f"{prefix}roc_auc_macro": _number(metrics.roc_auc_macro),
            f"{prefix}roc_auc_macro_interval": [_number(value) for value in metrics.roc_auc_interval],
            f"{prefix}pr_auc_macro": _number(metrics.pr_auc_macro),
            f"{prefix}pr_auc_macro_interval": [_number(value) for value in metrics.pr_auc_interval],
        }

    undefined = [
        tag for tag, one in zip(result.vocabulary, result.metrics.per_tag, strict=True) if math.isnan(one.roc_auc)
    ]
    return {
        "format": 1,
        "split": result.split,
        "tracks": result.tracks,
        "tracks_removed": result.removed,
        "tags": len(result.vocabulary),
        "tags_defined": result.metrics.tags_defined,
        "tags_undefined": undefined,
        "label_set": result.mapping.labels.reference,
        "trained_on": run.labels.reference,
        "tags_unknown_to_the_model": list(result.mapping.unknown),
        "tags_unused": list(result.mapping.unused),
        "tracks_seen_in_training": result.seen,
        "epoch": run.state.epoch,
        "bootstrap_samples": BOOTSTRAP_SAMPLES,
        **means(result.metrics, ""),
        **({} if result.baseline is None else means(result.baseline, "baseline_")),
    }


def _as_csv(result: Evaluation) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    baseline = [] if result.baseline is None else ["baseline_roc_auc", "baseline_pr_auc"]
    writer.writerow(["tag", "positives", "tracks", "roc_auc", "pr_auc", *baseline])
    for number, (tag, one) in enumerate(zip(result.vocabulary, result.metrics.per_tag, strict=True)):
        row: list[Any] = [tag, one.positives, one.tracks, _cell(one.roc_auc), _cell(one.pr_auc)]
        if result.baseline is not None:
            floor = result.baseline.per_tag[number]
            row += [_cell(floor.roc_auc), _cell(floor.pr_auc)]
        writer.writerow(row)
    return text.getvalue().encode()


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"
