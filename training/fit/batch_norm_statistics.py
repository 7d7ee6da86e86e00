"""Measure the statistics of batch norm over training patches, for the weights that are validated and kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.augmentation import NO_AUGMENTATION
from training.data.input import TrainingInput
from training.data.records import TrackRecords
from training.devices.strategies import worker_replicas
from training.models.dropout import StepDropout

MEASURED_BATCHES = 50  # at most, so that a validation stays short
_EPOCH = 0  # whose first batches are measured, each time the same patches


class BatchNormStatistics:
    """Measures the statistics of a model's batch norm over training patches, with the weights that it has at present.

    The moving statistics are those of weights that have changed since, under dropout and augmentation. Here every layer
    normalizes by the statistics of its batch, as in training, but nothing is dropped or augmented, as in inference; the
    result is the mean over the batches.

    Args:
        model: a tagger of `training.models`.
        records: records of the training tracks.
        patch: length of a patch.
        batch_size: largest number of tracks in a global batch.
        seed: seed of the run, which decides the patches.
        strategy: strategy that the model was made under.
    """

    def __init__(
        self, model: keras.Model, records: TrackRecords, patch: int, batch_size: int, seed: int, strategy: Any
    ) -> None:
        self._norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        self._dropouts = [layer for layer in model.layers if isinstance(layer, StepDropout)]
        self._variables = [each for norm in self._norms for each in (norm.moving_mean, norm.moving_variance)]
        self._strategy = strategy
        self._input = data = TrainingInput(records, patch, batch_size, seed, NO_AUGMENTATION)
        self._batches = min(MEASURED_BATCHES, data.steps)
        replicas, mine = strategy.num_replicas_in_sync, worker_replicas(strategy)
        self._data = strategy.distribute_datasets_from_function(
            lambda _context: data.dataset(_EPOCH, last_step=self._batches, replicas=replicas, mine=mine)
        )

        def replica_statistics(patches: Any, *_: Any) -> Any:
            model(patches, training=True)
            return [tf.identity(variable) for variable in self._variables]

        def statistics(element: Any) -> Any:
            found = strategy.run(replica_statistics, args=element)
            return [strategy.reduce(tf.distribute.ReduceOp.MEAN, each, axis=None) for each in found]

        self._measure = tf.function(statistics, input_signature=(self._data.element_spec,))

    @contextlib.contextmanager
    def in_place(self, on_batch: Callable[[int], None]) -> Iterator[None]:
        """Put the measured statistics in the place of the moving ones during the body.

        Args:
            on_batch: called with the number of batches measured.

        Raises:
            DatasetError: a record is damaged.
        """
        moving = [keras.ops.convert_to_numpy(variable) for variable in self._variables]
        try:
            for variable, value in zip(self._variables, self._measured(on_batch), strict=True):
                variable.assign(value)
            yield
        finally:
            for variable, value in zip(self._variables, moving, strict=True):
                variable.assign(value)

    def _measured(self, on_batch: Callable[[int], None]) -> list[npt.NDArray[np.float32]]:
        sums = [np.zeros(variable.shape, np.float64) for variable in self._variables]
        with self._as_measured():
            try:
                for done, element in enumerate(self._data, start=1):
                    for total, value in zip(sums, self._measure(element), strict=True):
                        total += value.numpy()
                    on_batch(done)
            except tf.errors.OpError as error:
                # tf.data wraps the error that a reading thread raised; the reader kept the original.
                raise self._input.failure or error from error
        return [(total / self._batches).astype(np.float32) for total in sums]

    @contextlib.contextmanager
    def _as_measured(self) -> Iterator[None]:
        """Let each batch's statistics replace those before it, and drop nothing: read when the graph is made."""
        momenta, rates = [norm.momentum for norm in self._norms], [layer.rate for layer in self._dropouts]
        try:
            for norm in self._norms:
                norm.momentum = 0.0
            for layer in self._dropouts:
                layer.rate = 0.0
            yield
        finally:
            for norm, momentum in zip(self._norms, momenta, strict=True):
                norm.momentum = momentum
            for layer, rate in zip(self._dropouts, rates, strict=True):
                layer.rate = rate
