"""Score whole tracks from their stored features: patches at a fixed hop, the tail included, with scores averaged per track."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.patches import cut, patch_starts
from training.data.records import TrackRecords, as_float
from training.devices.strategies import worker_replicas

TRACKS_AHEAD = 8  # read by threads while the model is busy


class TrackScorer:
    """Scores tracks with a model, in batches of patches.

    Args:
        model: a tagger of `training.models`.
        patch: length of the model's patches.
        batch_size: patches that go through the model together on one device.
        output: output of the model that is averaged over the patches of a track.
        strategy: strategy that the model was made under, if any; its devices in this process score side by side.
    """

    def __init__(
        self,
        model: keras.Model,
        patch: int,
        batch_size: int = 32,
        *,
        output: Literal["scores", "embedding"] = "scores",
        strategy: Any = None,
    ) -> None:
        self._patch = patch
        self._batch_size = batch_size
        self._strategy = strategy or tf.distribute.get_strategy()
        self._replicas = worker_replicas(self._strategy)
        self._width = int(model.output["logits" if output == "scores" else output].shape[-1])

        def replica_score(patches: Any) -> Any:
            outputs = model(patches, training=False)
            return tf.sigmoid(outputs["logits"]) if output == "scores" else outputs[output]

        @tf.function(reduce_retracing=True)  # type: ignore[misc]
        def score(patches: Any) -> Any:
            return self._strategy.run(replica_score, args=(patches,))

        self._score = score

    def scores(
        self,
        records: TrackRecords,
        tracks: Sequence[int] | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Score tracks, reading each one once.

        Args:
            records: records to read the tracks from.
            tracks: indices of the tracks; None for all.
            on_progress: called with the number of tracks scored.

        Returns:
            float32 [tracks, tags], or [tracks, units] of the embedding.
        """
        numbers = range(len(records.tracks)) if tracks is None else tracks
        # The targets may be for other tags than the model's.
        sums = np.zeros((len(numbers), self._width), np.float64)
        counts = np.zeros(len(numbers), np.int64)
        pending: list[npt.NDArray[np.float32]] = []
        owners: list[int] = []
        rows = 0  # in each device's batch
        full = self._batch_size * len(self._replicas)

        def flush() -> None:
            # The batch shape is always the same, so that one graph serves: the rest is zeros whose scores are dropped.
            # It has no more rows than there are patches, whatever the batch size.
            nonlocal rows
            rows = rows or -(-len(pending) // len(self._replicas))
            batch = np.zeros((rows * len(self._replicas), *pending[0].shape), np.float32)
            batch[: len(pending)] = pending
            scored = self._scored(batch, rows)[: len(pending)]
            np.add.at(sums, owners, scored)
            np.add.at(counts, owners, 1)
            pending.clear()
            owners.clear()

        for place, values in enumerate(_read_ahead(records, numbers)):
            for start in patch_starts(len(values), self._patch):
                pending.append(as_float(cut(values, int(start), self._patch)))
                owners.append(place)
                if len(pending) == full:
                    flush()
            if on_progress is not None:
                on_progress(place + 1)
        if pending:
            flush()
        return (sums / counts[:, None]).astype(np.float32)

    def _scored(self, batch: npt.NDArray[np.float32], rows: int) -> npt.NDArray[np.float32]:
        """The model's output for a batch, with `rows` of its rows on each device of this process."""

        def share(context: Any) -> Any:
            first = (context.replica_id_in_sync_group - self._replicas.start) * rows
            return tf.constant(batch[first : first + rows])

        shares = self._strategy.experimental_distribute_values_from_function(share)
        scored = self._strategy.experimental_local_results(self._score(shares))
        return np.concatenate([each.numpy() for each in scored])


def _read_ahead(records: TrackRecords, numbers: Sequence[int]) -> Iterator[npt.NDArray[Any]]:
    """Stored features of tracks in order, a few of them read ahead."""
    with ThreadPoolExecutor(TRACKS_AHEAD) as pool:
        waiting = [pool.submit(records.read, number) for number in numbers[:TRACKS_AHEAD]]
        for place in range(len(numbers)):
            if place + TRACKS_AHEAD < len(numbers):
                waiting.append(pool.submit(records.read, numbers[place + TRACKS_AHEAD]))
            yield waiting.pop(0).result()
