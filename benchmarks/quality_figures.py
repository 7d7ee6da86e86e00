"""The figures of a tagger on a test split: areas with their intervals, and accuracy where every track has one tag."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.quality_corpora import Corpus
from schemas.dataset import Dataset
from schemas.features import Family
from schemas.label_version import LabelVersion, open_labels
from training.data.groups import track_groups
from training.data.label_mapping import LabelMapping, map_labels
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords
from training.evaluation.stored_scores import read_stored_scores
from training.metrics.tagging import tagging_metrics
from training.runs.undefined_numbers import without_nan

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Figures:
    """The figures of a tagger on the tracks of a split; NaN where one is not defined.

    Attributes:
        roc_auc: mean ROC-AUC over the defined tags.
        roc_auc_interval: its 95 % interval over groups of tracks.
        pr_auc: mean average precision over the defined tags.
        pr_auc_interval: its 95 % interval over groups of tracks.
        accuracy: share of tracks whose highest score is that of their tag, where every track has exactly one.
        tracks: number of tracks.
        tags: number of tags that are defined.
    """

    roc_auc: float
    roc_auc_interval: Interval
    pr_auc: float
    pr_auc_interval: Interval
    accuracy: float
    tracks: int
    tags: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them: an undefined number is null."""
        fields: dict[str, Any] = without_nan(dataclasses.asdict(self))
        return fields


def figures_of_scores(
    targets: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    groups: npt.NDArray[np.int64],
    positive_at: float,
) -> Figures:
    """Figures of scores.

    Args:
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown.
        scores: float32 [tracks, tags].
        groups: number of each track's group, int64 [tracks].
        positive_at: lowest target that counts as positive.
    """
    metrics = tagging_metrics(targets, scores, positive_at=positive_at, groups=groups)
    return Figures(
        roc_auc=metrics.roc_auc_macro,
        roc_auc_interval=metrics.roc_auc_interval,
        pr_auc=metrics.pr_auc_macro,
        pr_auc_interval=metrics.pr_auc_interval,
        accuracy=accuracy(targets, scores, positive_at),
        tracks=len(targets),
        tags=metrics.tags_defined,
    )


@dataclasses.dataclass(frozen=True)
class HeldOutSplit:
    """The test split of a corpus, for a tagger that was trained on the same labels or on others.

    Attributes:
        title: the corpus.
        records: records of its tracks.
        mapping: which of the tagger's outputs and which of the corpus's tags belong together.
        groups: number of each track's group, int64 [tracks].
    """

    title: str
    records: TrackRecords
    mapping: LabelMapping
    groups: npt.NDArray[np.int64]

    def figures(self, scores: npt.NDArray[np.float32]) -> Figures:
        """Figures of scores, float32 [tracks, outputs of the tagger]."""
        return figures_of_scores(
            self.records.tracks.targets[:, self.mapping.columns],
            scores[:, self.mapping.outputs],
            self.groups,
            self.mapping.labels.positive_at,
        )


def open_test_split(corpus: Corpus, labels: LabelVersion, family: Family) -> HeldOutSplit:
    """Open the test split of a corpus for a tagger.

    Args:
        corpus: the corpus.
        labels: labels that the tagger was trained on.
        family: the features that it reads.

    Raises:
        UserError: the dataset, label set or split does not exist, or there is no tag in common.
    """
    dataset = Dataset.open(corpus.dataset)
    mapping = map_labels(labels, open_labels(dataset, corpus.label_set))
    records = TrackRecords(dataset, labelled_tracks(dataset, mapping.labels, dataset.spec(family), "test"))
    return HeldOutSplit(corpus.title, records, mapping, track_groups(dataset, records.tracks.track_ids))


def figures_of_run(root: str, evaluation: str) -> Figures:
    """Figures that a run's evaluation wrote into RUN/evaluation under a name, such as test."""
    folder = Path(root, "evaluation")  # not by way of RunFolder, which imports TensorFlow
    fields = json.loads((folder / f"{evaluation}.json").read_text())
    stored = read_stored_scores(str(folder / f"{evaluation}_scores.parquet"))
    return Figures(
        roc_auc=_number(fields["roc_auc_macro"]),
        roc_auc_interval=_interval(fields["roc_auc_macro_interval"]),
        pr_auc=_number(fields["pr_auc_macro"]),
        pr_auc_interval=_interval(fields["pr_auc_macro_interval"]),
        accuracy=accuracy(stored.targets, stored.scores, stored.of.positive_at),
        tracks=fields["tracks"],
        tags=fields["tags_defined"],
    )


def accuracy(targets: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], positive_at: float) -> float:
    """Share of tracks whose highest score is that of their tag; NaN unless every track is known to have exactly one."""
    positive = targets >= positive_at
    if np.isnan(targets).any() or not (positive.sum(axis=1) == 1).all():
        return math.nan
    return float(np.mean(positive[np.arange(len(scores)), scores.argmax(axis=1)]))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _interval(ends: list[float | None] | None) -> Interval:
    low, high = ends or (None, None)
    return _number(low), _number(high)
