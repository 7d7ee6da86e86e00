"""Taggers without a training loop: simple models of log-mel statistics, and of the embeddings of a published network."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.quality_corpora import Corpus
from benchmarks.quality_figures import Figures, open_test_split
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from training.baselines.kinds import BaselineKind
from training.baselines.models import baseline_scores, fitted_tracks
from training.baselines.statistics import track_statistics
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords

ShallowKind = Literal["logistic", "trees", "probe"]
PROBED = "MTT_musicnn"
Features = Callable[[TrackRecords], npt.NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class ShallowResult:
    """What came of a simple model.

    Attributes:
        figures: figures on the test split of each corpus in which it was tested, by its title.
        cpu_seconds: CPU time of the process until it had scored its own test split, without reading others.
    """

    figures: dict[str, Figures]
    cpu_seconds: float


def fit_shallow(kind: ShallowKind, corpus: Corpus, others: Sequence[Corpus], weights: str | None) -> ShallowResult:
    """Fit a model on the training split, and score the test split of this corpus and of others.

    Args:
        kind: logistic regression or boosted trees on log-mel statistics, or logistic regression on embeddings.
        corpus: what to fit and to test it on.
        others: what else to test it on.
        weights: wheel of the package musicnn, which the probe reads.

    Raises:
        UserError: a dataset, label set or split does not exist, the corpora share no tag, or the wheel is wrong.
    """
    features = _embeddings(weights) if kind == "probe" and weights else track_statistics
    dataset = Dataset.open(corpus.dataset)
    labels = open_labels(dataset, corpus.label_set)
    whole = labelled_tracks(dataset, labels, dataset.spec("logmel"), "train")
    train = TrackRecords(dataset, whole.taken(fitted_tracks(len(whole))))
    own, *others_tested = (open_test_split(one, labels, "logmel") for one in (corpus, *others))
    known, asked = features(train), [features(own.records)]
    began = time.process_time()
    asked += [features(split.records) for split in others_tested]
    elsewhere = time.process_time() - began
    model: BaselineKind = "trees" if kind == "trees" else "logistic"
    scores = baseline_scores(model, known, train.tracks.targets, np.concatenate(asked), labels.positive_at)
    used = time.process_time() - elsewhere
    ends = np.cumsum([len(rows) for rows in asked])
    rows = np.split(scores, ends[:-1])
    figures = {split.title: split.figures(of) for split, of in zip((own, *others_tested), rows, strict=True)}
    return ShallowResult(figures, used)


def _embeddings(weights: str) -> Features:
    """What reads the embeddings of the published network."""
    from training.devices.tensorflow_import import import_tensorflow

    import_tensorflow()
    from training.evaluation.scoring import TrackScorer
    from training.published.import_weights import published_network

    network = published_network(PROBED, weights)
    scorer = TrackScorer(network.model, network.config.patch, output="embedding")

    def read(records: TrackRecords) -> npt.NDArray[np.float32]:
        return scorer.scores(records)

    return read
