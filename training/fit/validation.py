"""Exact metrics of the validation split while training: every track is scored once, divided among the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.records import TrackRecords
from training.devices.strategies import sum_over_replicas, worker_count, worker_index, worker_replicas
from training.evaluation.scoring import TrackScorer
from training.fit.losses import TrainingLoss
from training.metrics.tagging import Metrics, tagging_metrics


class Validation:
    """Scores the validation split with the model's present weights.

    Args:
        records: records of its tracks.
        scorer: scorer with the model.
        strategy: how the workers share the split.
        loss: the loss that is trained.
        positive_at: lowest target that counts as positive.
    """

    def __init__(
        self, records: TrackRecords, scorer: TrackScorer, strategy: Any, loss: TrainingLoss, positive_at: float
    ) -> None:
        self.records, self.positive_at = records, positive_at
        self._scorer, self._strategy, self._loss = scorer, strategy, loss

    def run(self, on_progress: Callable[[int], None] | None = None) -> tuple[float, Metrics, npt.NDArray[np.float32]]:
        """Mean loss, metrics and scores, the same in every worker."""
        scores = self._scores(on_progress)
        targets = self.records.tracks.targets
        metrics = tagging_metrics(targets, scores, positive_at=self.positive_at)
        return self._loss.mean(targets, scores), metrics, scores

    def _scores(self, on_progress: Callable[[int], None] | None) -> npt.NDArray[np.float32]:
        mine = worker_replicas(self._strategy)
        workers = worker_count(self._strategy)
        if workers == 1:
            return self._scorer.scores(self.records, on_progress=on_progress)
        own = np.arange(worker_index(self._strategy), len(self.records.tracks), workers)
        scores = np.zeros_like(self.records.tracks.targets)
        if len(own):
            scores[own] = self._scorer.scores(self.records, own.tolist())
        return sum_over_replicas(self._strategy, scores / len(mine))
