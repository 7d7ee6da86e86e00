"""Compare two runs on the same tracks: a paired jackknife over whole groups, per tag and in the mean."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.console.progress import Progress
from schemas.dataset import Dataset
from schemas.label_version import LabelVersion, open_labels
from training.comparison.result import Comparison, Difference, RunTracks, TagComparison, difference_of
from training.data.groups import track_groups
from training.data.label_mapping import map_labels
from training.data.staging import Stage, open_stage
from training.evaluation.split_scores import SplitScores, score_split
from training.metrics.jackknife import left_out_metrics, mean_of_defined, parts_of
from training.metrics.tagging import tagging_metrics
from training.runs.imported import is_imported
from training.runs.run_folder import RunFolder
from training.runs.trained import TrainedRun, open_run


def compare(
    root_a: str, root_b: str, split: str = "test", *, label_set: str | None = None, stage: str | None = None
) -> Comparison:
    """Compare the second of two runs with the first, on the tracks of a split that both can be judged by.

    >>> from training import compare
    >>> result = compare("runs/a", "runs/b")
    >>> pr_auc = result.macro["pr_auc"]
    >>> pr_auc.value == pr_auc.b - pr_auc.a
    True

    Both are evaluated against the same labels, with tags matched by name. Scores that an evaluation left on disk are
    used if they fit; otherwise the run is scored, and its scores are kept.

    Args:
        root_a: folder of the run that is in use.
        root_b: folder of the run that may replace it.
        split: train, validation or test.
        label_set: NAME or NAME@HASH of the second run's dataset; None for the labels that run was trained on.
        stage: folder on a local disk that payloads are copied to before they are read; None to read them in place.

    Raises:
        UserError: there is no such run, split or label set, or there is no tag or track that both have.
        DatasetError: the features on disk do not fit.
    """
    with open_stage(stage) as copies:
        run_a, run_b = _open_both(root_a, root_b)
        trained = run_a if run_b.imported is not None else run_b
        labels = open_labels(run_b.dataset, label_set or trained.labels.reference)
        scores_a, tracks_a = _scores(
            run_a, labels, split, copies, another=run_a.dataset.identity() != run_b.dataset.identity()
        )
        scores_b, tracks_b = _scores(run_b, labels, split, copies, another=False)
    a, b = scores_a.stored, scores_b.stored
    tags = tuple(tag for tag in b.of.tags if tag in set(a.of.tags))
    if not tags:
        raise UserError(f"{root_a}, {root_b}: share no tag of {labels.reference}; name another --label-set")
    shared = pc.index_in(pa.array(b.track_ids), value_set=pa.array(a.track_ids))
    rows_b = np.flatnonzero(shared.is_valid().to_numpy(zero_copy_only=False))
    rows_a = shared.drop_null().to_numpy()
    if len(rows_b) == 0:
        raise UserError(
            f"{root_a}, {root_b}: no {split} track of {labels.reference} is new to both; name another --split or --label-set"
        )
    columns_a, columns_b = ([of.tags.index(tag) for tag in tags] for of in (a.of, b.of))
    targets = b.targets[rows_b][:, columns_b]
    groups = track_groups(run_b.dataset, [b.track_ids[row] for row in rows_b])
    per_tag, macro = score_differences(
        tags, targets, (a.scores[rows_a][:, columns_a], b.scores[rows_b][:, columns_b]), groups, b.of.positive_at
    )
    return Comparison(
        run_a=tracks_a,
        run_b=tracks_b,
        split=split,
        labels=labels,
        split_tracks=_count(labels, split),
        tracks=len(rows_b),
        groups=int(groups.max()) + 1,
        tags=tags,
        per_tag=per_tag,
        macro=macro,
        name=scores_b.name,
    )


def _open_both(root_a: str, root_b: str) -> tuple[TrainedRun, TrainedRun]:
    """Open both runs; one whose weights were imported is judged on the dataset of the other."""
    imported = is_imported(root_a), is_imported(root_b)
    if all(imported):
        raise UserError(
            f"{root_a}, {root_b}: expected a run with a dataset to compare on, found imported weights in both; evaluate each "
            "with --dataset and --label-set"
        )
    own = RunFolder(root_b if imported[0] else root_a).read_config().dataset if any(imported) else None
    return open_run(root_a, own if imported[0] else None), open_run(root_b, own if imported[1] else None)


def _scores(
    run: TrainedRun, labels: LabelVersion, split: str, stage: Stage | None, *, another: bool
) -> tuple[SplitScores, RunTracks]:
    """Scores of a run on labels that may belong to another dataset."""
    here = _within(run.dataset, labels) if another else labels
    mapping = map_labels(run.labels, here)
    scored = score_split(run, mapping, split, stage=stage, reuse=True)
    return scored, RunTracks(
        folder=run.folder,
        checkpoint=run.checkpoint,
        trained_on=run.labels.reference,
        absent=_count(labels, split) - _count(here, split),
        removed=scored.removed,
        seen=scored.seen,
        unknown=mapping.unknown,
    )


def _within(dataset: Dataset, labels: LabelVersion) -> LabelVersion:
    """A label version without the tracks for which a dataset has no record."""
    tracks = dataset.newest_tracks([])
    held = tracks["track_id"].filter(pc.is_valid(tracks["record"])).combine_chunks()
    return dataclasses.replace(labels, table=labels.table.filter(pc.is_in(labels.table["track_id"], value_set=held)))


def _count(labels: LabelVersion, split: str) -> int:
    return int(pc.sum(pc.equal(labels.table["split"], split)).as_py() or 0)


def score_differences(
    tags: tuple[str, ...],
    targets: npt.NDArray[np.float32],
    scores: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    groups: npt.NDArray[np.int64],
    positive_at: float,
) -> tuple[tuple[TagComparison, ...], dict[str, Difference]]:
    """How far the second scores are ahead of the first, for each tag and in the mean over tags.

    Args:
        tags: names of the tags, in order.
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown and left out.
        scores: scores of the first and the second run, each float32 [tracks, tags].
        groups: the number of each track's group, from 0 without gaps, int64 [tracks].
        positive_at: lowest target that counts as positive.

    Returns:
        The comparison of every tag, and the differences of `roc_auc` and `pr_auc` in the mean over the defined tags.
    """
    parts = parts_of(groups)
    count = int(parts.max()) + 1
    points, replicates = [], []
    with Progress("intervals", 2 * count, "replicates") as progress:
        for number, one in enumerate(scores):
            points.append(tagging_metrics(targets, one, positive_at=positive_at))

            def update(done: int, before: int = number * count) -> None:
                progress.update(before + done)

            # The same parts are left out of both runs, and the difference is taken within each.
            replicates.append(left_out_metrics(targets, one, parts, positive_at=positive_at, on_progress=update))
    a, b = points
    defined = np.array([not np.isnan(tag.roc_auc) for tag in a.per_tag], bool)
    without = {name: getattr(replicates[1], name) - getattr(replicates[0], name) for name in ("roc_auc", "pr_auc")}
    per_tag = []
    for number, (tag, of_a, of_b) in enumerate(zip(tags, a.per_tag, b.per_tag, strict=True)):
        support = replicates[0].tag_support[number]
        differences = {
            name: difference_of(getattr(of_a, name), getattr(of_b, name), without[name][number], support)
            for name in without
        }
        per_tag.append(TagComparison(tag, of_a.positives, of_a.tracks, **differences))
    macro = {
        name: difference_of(
            getattr(a, f"{name}_macro"),
            getattr(b, f"{name}_macro"),
            mean_of_defined(without[name][defined]),
            replicates[0].support,
        )
        for name in without
    }
    return tuple(per_tag), macro
