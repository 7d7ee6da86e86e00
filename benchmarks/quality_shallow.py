"""Taggers without a training loop: simple models of log-mel statistics, and of the embeddings of a published network."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.quality_corpora import Corpus
from benchmarks.quality_figures import Figures, figures_of_scores
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from training.baselines.kinds import BaselineKind
from training.baselines.models import baseline_scores, fitted_tracks
from training.baselines.statistics import track_statistics
from training.data.groups import track_groups
from training.data.label_mapping import map_labels
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
    tested = []
    for one in (corpus, *others):
        held = Dataset.open(one.dataset)
        mapping = map_labels(labels, open_labels(held, one.label_set))
        records = TrackRecords(held, labelled_tracks(held, mapping.labels, held.spec("logmel"), "test"))
        tested.append((one, held, mapping, records))
    known, own = features(train), features(tested[0][-1])
    began = time.process_time()
    asked = [own, *(features(records) for *_, records in tested[1:])]
    elsewhere = time.process_time() - began
    model: BaselineKind = "trees" if kind == "trees" else "logistic"
    scores = baseline_scores(model, known, train.tracks.targets, np.concatenate(asked), labels.positive_at)
    used = time.process_time() - elsewhere
    ends = np.cumsum([len(rows) for rows in asked])
    figures = {}
    for (one, held, mapping, records), rows in zip(tested, np.split(scores, ends[:-1]), strict=True):
        figures[one.title] = figures_of_scores(
            records.tracks.targets[:, mapping.columns],
            rows[:, mapping.outputs],
            track_groups(held, records.tracks.track_ids),
            mapping.labels.positive_at,
        )
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
