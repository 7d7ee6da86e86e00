"""What smaller weights cost: PR-AUC on validation tracks with them and without, measured when a LiteRT model is exported."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt

from schemas.console.progress import Progress
from schemas.model_forms import Weights
from schemas.patches import cut, patch_starts
from training.data.label_mapping import map_labels
from training.data.records import as_float
from training.evaluation.split_scores import split_tracks, staged_records
from training.evaluation.stored_scores import StoredScores
from training.forms.tflite_file import lite_scorer
from training.metrics.tagging import tagging_metrics
from training.models.plain_layers import in_plain_layers
from training.runs.trained import TrainedRun

MOST_PATCHES = 1000  # that LiteRT scores: some minutes for patches of 15 s on two cores


@dataclasses.dataclass(frozen=True)
class WeightsCost:
    """PR-AUC with the run's float32 weights and with smaller ones, on the same validation tracks.

    Attributes:
        weights: what the smaller weights are.
        tracks: number of tracks that were scored.
        of_tracks: number of validation tracks.
        before: PR-AUC in the mean over tags with the run's weights; NaN if no tag is defined.
        after: likewise with the smaller ones.
    """

    weights: Weights
    tracks: int
    of_tracks: int
    before: float
    after: float


def measure_weights(run: TrainedRun, model: keras.Model, stored: StoredScores, weights: Weights) -> WeightsCost:
    """Score validation tracks from their stored features by the network as LiteRT runs it with smaller weights.

    Tracks are taken from all over the split until `MOST_PATCHES` patches are scored.

    Args:
        run: the run.
        model: its tagger, in float32.
        stored: the scores of the validation split.
        weights: what the weights are.

    Raises:
        DatasetError: the features on disk do not fit.
    """
    score = lite_scorer(in_plain_layers(model), weights)
    records = staged_records(
        run, split_tracks(run, map_labels(run.labels, run.labels), "validation", run.spec)[0], None
    )
    patch = run.config.patch
    taken: list[int] = []
    scores: list[npt.NDArray[np.float64]] = []
    patches = 0
    with Progress(f"try {weights} weights", len(records.tracks), "tracks") as progress:
        for number in spread(len(records.tracks)):
            values = records.read(number)
            starts = patch_starts(len(values), patch)
            if taken and patches + len(starts) > MOST_PATCHES:
                break
            patches += len(starts)
            taken.append(number)
            each = [score(as_float(cut(values, int(start), patch))[np.newaxis])[0] for start in starts]
            scores.append(np.mean(each, axis=0, dtype=np.float64))
            progress.update(len(taken))
    targets, positive_at = stored.targets[taken], stored.of.positive_at
    before, after = (
        tagging_metrics(targets, one, positive_at=positive_at).pr_auc_macro
        for one in (stored.scores[taken], np.array(scores, np.float32))
    )
    return WeightsCost(weights, len(taken), len(records.tracks), before, after)


def spread(count: int) -> list[int]:
    """Numbers from 0 up to `count` in an order of which every beginning lies all over them: by the golden section."""
    order: list[int] = np.argsort(np.arange(count) * (np.sqrt(5) - 1) / 2 % 1, kind="stable").tolist()
    return order
