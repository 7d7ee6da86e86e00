"""Evaluate a run on a split: every track once, exact metrics, thresholds from validation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.console.errors import DatasetError, UserError
from schemas.console.progress import Progress
from schemas.label_version import open_labels
from schemas.storage.files import write_atomic
from training.baselines.kinds import NAMES, BaselineKind
from training.baselines.statistics import track_statistics
from training.data.groups import track_groups
from training.data.label_mapping import LabelMapping, map_labels
from training.data.staging import Stage, open_stage
from training.evaluation.files import Evaluation, evaluation_csv, evaluation_json
from training.evaluation.plots import draw_curves, draw_per_tag
from training.evaluation.split_scores import SplitScores, score_split, split_tracks, staged_records
from training.evaluation.stored_scores import StoredScores
from training.metrics.jackknife import parts_of
from training.metrics.tagging import Metrics, tagging_metrics
from training.metrics.thresholds import best_thresholds, decide
from training.runs.ensemble import open_runs
from training.runs.imported import is_imported
from training.runs.trained import TrainedRun


def evaluate(
    root: str | Sequence[str],
    split: str = "test",
    *,
    dataset: str | None = None,
    label_set: str | None = None,
    baselines: Sequence[BaselineKind] = (),
    stage: str | None = None,
) -> Evaluation:
    """Evaluate the best epoch of a run, or several runs as an ensemble.

    >>> from training import evaluate
    >>> result = evaluate("runs/a")
    >>> 0 <= result.metrics.roc_auc_macro <= 1, len(result.metrics.per_tag) == len(result.vocabulary)
    (True, True)

    Writes SPLIT.json, SPLIT_per_tag.csv, SPLIT_scores.parquet, SPLIT_per_tag.png and SPLIT_curves.png into the run's
    evaluation/; against labels other than its own, SPLIT becomes SPLIT-NAME@HASH. Thresholds come from the scores of
    the validation split, which are read from disk if they are there, and computed and kept otherwise.

    Args:
        root: the run's folder, or those of several: their ensemble's files go into the first, named ensemble-HASH-SPLIT.
        split: train, validation or test.
        dataset: another dataset to evaluate it on, with `label_set`; an imported run has none of its own.
        label_set: NAME or NAME@HASH to evaluate against, tags matched by name; None for the labels it was trained on.
        baselines: simple models to fit on the training split's log-mel statistics and to evaluate in the same way.
        stage: folder on a local disk that payloads are copied to before they are read; None to read them in place.

    Raises:
        UserError: there is no such run, split or label set, or it has no tag of the model or no track that is new to it;
            or the runs differ in the patches, features or labels that they were trained on.
        DatasetError: the features on disk do not fit.
    """
    with open_stage(stage) as copies:
        roots = [root] if isinstance(root, str) else root
        for one in roots:
            _require_tracks(one, dataset, label_set)
        run = open_runs(roots, dataset)
        asked = run.labels if label_set is None else open_labels(run.dataset, label_set)
        return _evaluate(run, split, map_labels(run.labels, asked), baselines, copies)


def _require_tracks(root: str, dataset: str | None, label_set: str | None) -> None:
    """Raise UserError unless the labels of some tracks are named."""
    if is_imported(root) and (dataset is None or label_set is None):
        raise UserError(
            f"{root}: expected --dataset and --label-set, since its weights were imported and it has no tracks of its own; "
            "give both"
        )
    if dataset is not None and label_set is None:
        raise UserError(
            f"--dataset {dataset}: expected --label-set beside it, received none; name one of its label sets"
        )


def _evaluate(
    run: TrainedRun, split: str, mapping: LabelMapping, baselines: Sequence[BaselineKind], stage: Stage | None
) -> Evaluation:
    scored = score_split(run, mapping, split, stage=stage)
    stored = scored.stored
    expected = mapping.labels.manifest.counts[split] - scored.removed - scored.seen
    if split == "train" and run.config.train_share != 1:
        expected = len(stored.track_ids)  # the tracks that the run was trained on
    if len(stored.track_ids) != expected:
        raise DatasetError(
            f"{run.folder.root}: expected scores of {expected} {split} tracks, received {len(stored.track_ids)}"
        )
    chosen, problem = _validation(run, mapping, scored, stage)
    positive_at = stored.of.positive_at
    groups = track_groups(run.dataset, stored.track_ids)
    thresholds = (
        np.full(len(mapping.tags), np.nan)
        if chosen is None
        else best_thresholds(chosen.targets, chosen.scores, positive_at=positive_at)
    )
    result = Evaluation(
        run=run.folder.root,
        split=split,
        tracks=expected,
        removed=scored.removed,
        seen=scored.seen,
        mapping=mapping,
        metrics=_metrics("model", stored.targets, stored.scores, positive_at, groups),
        decisions=decide(stored.targets, stored.scores, thresholds, positive_at=positive_at),
        threshold_tracks=0 if chosen is None else len(chosen.track_ids),
        threshold_problem=problem,
        baselines=_baselines(run, mapping, scored, baselines, groups, stage) if baselines else {},
        name=scored.name,
        runs=tuple(one.folder.root for one in run.members),
    )
    return _write(result, run, stored)


def _write(result: Evaluation, run: TrainedRun, stored: StoredScores) -> Evaluation:
    folder, name = run.folder, result.name
    per_tag = evaluation_csv(result)
    fields = evaluation_json(result, run)
    fields["per_tag_sha256"] = hashlib.sha256(per_tag).hexdigest()
    run.folder.write_json(folder.evaluation(f"{name}.json"), fields)
    write_atomic(folder.evaluation(f"{name}_per_tag.csv"), per_tag)
    write_atomic(folder.evaluation(f"{name}_per_tag.png"), draw_per_tag(result))
    write_atomic(folder.evaluation(f"{name}_curves.png"), draw_curves(result, stored))
    return result


def _validation(
    run: TrainedRun, mapping: LabelMapping, scored: SplitScores, stage: Stage | None
) -> tuple[StoredScores | None, str]:
    """Scores of the validation split, or why there are none."""
    if scored.stored.of.split == "validation":
        return scored.stored, ""
    try:
        return score_split(run, mapping, "validation", stage=stage, reuse=True).stored, ""
    except UserError as error:  # other labels than the run's own may have no validation track that is new to it
        return None, str(error)


def _metrics(
    what: str,
    targets: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    positive_at: float,
    groups: npt.NDArray[np.int64],
) -> Metrics:
    with Progress(f"intervals of the {what}", int(parts_of(groups).max()) + 1, "replicates") as progress:
        return tagging_metrics(targets, scores, positive_at=positive_at, groups=groups, on_progress=progress.update)


def _baselines(
    run: TrainedRun,
    mapping: LabelMapping,
    scored: SplitScores,
    kinds: Sequence[BaselineKind],
    groups: npt.NDArray[np.int64],
    stage: Stage | None,
) -> dict[BaselineKind, Metrics]:
    """Metrics of each baseline, fitted on the model's training tracks as far as they are labelled here."""
    from training.baselines.models import baseline_scores, fitted_tracks  # scikit-learn takes a second

    of, spec = scored.stored.of, run.dataset.spec("logmel")
    train, _ = split_tracks(run, mapping, "train", spec)
    known = staged_records(run, train.taken(fitted_tracks(len(train))), stage)
    asked = staged_records(run, split_tracks(run, mapping, of.split, spec)[0], stage)
    with Progress("baseline", len(known.tracks) + len(asked.tracks), "tracks") as progress:
        seen = track_statistics(known, progress.update)
        new = track_statistics(asked, lambda done: progress.update(len(known.tracks) + done))
    targets = known.tracks.targets
    return {
        kind: _metrics(
            NAMES[kind],
            asked.tracks.targets,
            baseline_scores(kind, seen, targets, new, of.positive_at),
            of.positive_at,
            groups,
        )
        for kind in kinds
    }
