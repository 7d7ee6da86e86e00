"""Fit a study's baselines on each share, and evaluate them on the test split like the networks."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.console.progress import Progress
from schemas.dataset import Dataset
from schemas.label_version import LabelVersion
from training.baselines.kinds import BASELINES, BaselineKind
from training.baselines.models import baseline_scores, fitted_tracks
from training.baselines.statistics import track_statistics
from training.data.labels import LabelledTracks, labelled_tracks
from training.data.records import TrackRecords
from training.data.staging import Stage
from training.metrics.tagging import tagging_metrics
from training.study.results import BaselineRow, read_baseline_row, write_row


def study_baselines(
    dataset: Dataset, labels: LabelVersion, shares: Sequence[float], folder: str, stage: Stage | None
) -> list[BaselineRow]:
    """The rows of all baselines; those that are already on disk are not fitted again.

    Args:
        dataset: the dataset, which holds log-mel features.
        labels: labels of the tracks.
        shares: shares of the training split.
        folder: folder of the rows.
        stage: copies that are read instead of the payloads; None for none.

    Raises:
        UserError: a share has no group.
        DatasetError: a record is damaged.
    """
    names = {(share, kind): f"{kind}-{share:g}" for share in shares for kind in BASELINES}
    test: tuple[LabelledTracks, npt.NDArray[np.float32]] | None = None
    for share in shares:
        missing = [kind for kind in BASELINES if read_baseline_row(folder, names[share, kind]) is None]
        if not missing:
            continue
        began = time.monotonic()
        test = test or _test_statistics(dataset, labels, stage)
        whole = labelled_tracks(dataset, labels, dataset.spec("logmel"), "train", share=share)
        train = whole.taken(fitted_tracks(len(whole)))
        known = _statistics(TrackRecords(dataset, train, stage), f"baselines, share {share:g}")
        for kind in missing:
            row = _fitted(kind, share, whole, train, known, *test, labels, began)
            write_row(folder, names[share, kind], row)
            began = time.monotonic()
    rows = [read_baseline_row(folder, name) for name in names.values()]
    return [row for row in rows if row is not None]


def _test_statistics(
    dataset: Dataset, labels: LabelVersion, stage: Stage | None
) -> tuple[LabelledTracks, npt.NDArray[np.float32]]:
    tracks = labelled_tracks(dataset, labels, dataset.spec("logmel"), "test")
    return tracks, _statistics(TrackRecords(dataset, tracks, stage), "baselines, test split")


def _statistics(records: TrackRecords, what: str) -> npt.NDArray[np.float32]:
    with Progress(what, len(records.tracks), "tracks") as progress:
        return track_statistics(records, progress.update)


def _fitted(
    kind: BaselineKind,
    share: float,
    whole: LabelledTracks,
    train: LabelledTracks,
    known: npt.NDArray[np.float32],
    test: LabelledTracks,
    asked: npt.NDArray[np.float32],
    labels: LabelVersion,
    began: float,
) -> BaselineRow:
    positive_at = labels.positive_at
    scores = baseline_scores(kind, known, train.targets, asked, positive_at)
    metrics = tagging_metrics(test.targets, scores, positive_at=positive_at)
    return BaselineRow(
        baseline=kind,
        share=share,
        tracks=len(whole),
        fitted_tracks=len(train),
        roc_auc=metrics.roc_auc_macro,
        pr_auc=metrics.pr_auc_macro,
        seconds=round(time.monotonic() - began, 3),
    )
