"""The published network trained the usual Keras way: compile, fit on random patches from tf.data, keep the last weights.

No warm-up, no schedule, no choice of a checkpoint, no option of this project: what one would write first. Features, labels,
split and the patches that are scored are the same as everyone's.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.quality_corpora import Corpus
from benchmarks.quality_figures import Figures, open_test_split
from schemas.dataset import Dataset
from schemas.features import LogMelSpec
from schemas.label_version import open_labels
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.devices.tensorflow_import import import_tensorflow
from training.models.config import ModelConfig, family_of

LEARNING_RATE = 1e-3


@dataclasses.dataclass(frozen=True)
class KerasFit:
    """What to fit.

    Attributes:
        model: the network, as published by default.
        patch_seconds: length of a patch.
        batch_size: patches in a batch.
        steps: number of batches.
        validate_every: steps between two evaluations of the validation split, which decide nothing.
        seed: seed of weights, order, patches and dropout.
    """

    model: ModelConfig
    patch_seconds: float
    batch_size: int
    steps: int
    validate_every: int
    seed: int


@dataclasses.dataclass(frozen=True)
class KerasResult:
    """What came of it.

    Attributes:
        figures: figures on the test split of each corpus in which it was tested, by its title.
        validation: (examples seen, PR-AUC of the validation split) at each evaluation.
        cpu_seconds: CPU time of the process until its own test split was scored.
    """

    figures: dict[str, Figures]
    validation: list[tuple[int, float]]
    cpu_seconds: float


def fit_with_keras(fit: KerasFit, corpus: Corpus, others: Sequence[Corpus] = ()) -> KerasResult:
    """Fit the network on a corpus, and score the test split of this one and of others; to be called in a process of its own.

    Raises:
        UserError: a dataset, label set or split does not exist, or the corpora share no tag.
    """
    import_tensorflow()
    import keras

    from benchmarks.plain_taggers import plain_tagger
    from training.evaluation.scoring import TrackScorer
    from training.models.patches import patch_length

    keras.utils.set_random_seed(fit.seed)
    dataset = Dataset.open(corpus.dataset)
    labels, spec = open_labels(dataset, corpus.label_set), dataset.spec(family_of(fit.model.frontend))
    train, validation = (
        TrackRecords(dataset, labelled_tracks(dataset, labels, spec, split)) for split in ("train", "validation")
    )
    mels, hop = (spec.mels, (spec.hop_length,)) if isinstance(spec, LogMelSpec) else (0, ())
    patch = patch_length(fit.patch_seconds, fit.model.frontend, *hop)

    model = plain_tagger(fit.model, tags=len(labels.vocabulary), patch=patch, mels=mels)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), keras.losses.BinaryCrossentropy(from_logits=True))
    scorer = TrackScorer(keras.Model(model.input, {"logits": model.output}), patch, fit.batch_size)
    curve = _validation_curve(scorer, validation, fit, labels.positive_at)
    batches = random_patches(train, patch, fit.batch_size, fit.seed)
    model.fit(batches, epochs=1, steps_per_epoch=fit.steps, callbacks=[curve], shuffle=False, verbose=0)

    figures: dict[str, Figures] = {}
    used = 0.0
    for tested in (corpus, *others):
        split = open_test_split(tested, labels, spec.family)
        figures[split.title] = split.figures(scorer.scores(split.records))
        used = used or time.process_time()
    return KerasResult(figures, curve.points, used)


def random_patches(records: TrackRecords, patch: int, batch_size: int, seed: int) -> Any:
    """A tf.data.Dataset without end of patches float32 [batch, patch(, mels)] and targets float32 [batch, tags].

    Each epoch takes one random patch of every track. An unknown tag counts as absent, since `fit` has no masks for tags.
    """
    import tensorflow as tf

    from schemas.patches import cut
    from training.models.patches import start_at

    tracks = len(records.tracks)
    targets = tf.constant(np.nan_to_num(records.tracks.targets))
    shape = (patch, records.spec.mels) if isinstance(records.spec, LogMelSpec) else (patch,)

    def load(number: Any, crop: Any) -> Any:
        values = records.read(int(number))
        return as_float(cut(values, start_at(len(values), patch, float(crop)), patch))

    def example(count: Any, number: Any) -> Any:
        crop = tf.random.stateless_uniform([], seed=tf.stack([tf.constant(seed, tf.int64), count]))
        values = tf.numpy_function(load, [number, crop], tf.float32)
        values.set_shape(shape)
        return values, targets[number]

    order = tf.data.Dataset.range(tracks).shuffle(tracks, seed=seed).repeat()
    return order.enumerate().map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size).prefetch(2)


def _validation_curve(scorer: Any, records: TrackRecords, fit: KerasFit, positive_at: float) -> Any:
    """A Keras callback that evaluates the validation split; its `points` are (examples seen, PR-AUC)."""
    import keras

    from training.metrics.tagging import tagging_metrics

    class ValidationCurve(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.points: list[tuple[int, float]] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            step = batch + 1
            if step % fit.validate_every == 0 or step == fit.steps:
                metrics = tagging_metrics(records.tracks.targets, scorer.scores(records), positive_at=positive_at)
                self.points.append((step * fit.batch_size, metrics.pr_auc_macro))

    return ValidationCurve()
