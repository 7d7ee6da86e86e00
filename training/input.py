"""The training input: a tf.data pipeline whose order is a function of (seed, epoch), for any number of replicas."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.errors import TagscaleError
from schemas.features import LogMelSpec
from training.labels import LabelledTracks
from training.patches import cut, random_start
from training.records import TrackRecords, as_float

SHARDS_MIXED = 16  # shards whose tracks are shuffled together: reads stay near each other, batches are mixed
READERS = 4  # threads that read batches ahead
_ORDER, _CROPS = 1, 2  # what a seed is drawn for


def epoch_order(tracks: LabelledTracks, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch visits tracks: shards shuffled, then tracks within every few shards.

    Returns:
        int64 [tracks], every track once; the same for any number of workers.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, _ORDER, epoch))))
    shards = np.stack([tracks.generation, tracks.shard], axis=1)
    names, place = np.unique(shards, axis=0, return_inverse=True)
    shard_turn = rng.permutation(len(names))[place.reshape(-1)]
    return np.lexsort((rng.random(len(tracks)), shard_turn // SHARDS_MIXED)).astype(np.int64)


def epoch_batches(order: npt.NDArray[np.int64], batch_size: int, replicas: int) -> list[npt.NDArray[np.int64]]:
    """Cut an epoch's order into global batches; a last one with fewer tracks than replicas joins the one before."""
    cuts = list(range(batch_size, len(order), batch_size))
    if cuts and len(order) - cuts[-1] < replicas:
        cuts.pop()
    return np.split(order, cuts)


@dataclasses.dataclass
class TrainingInput:
    """Patches of training tracks, batch by batch.

    Attributes:
        records: where the tracks are read.
        patch: length of a patch in frames or samples.
        batch_size: tracks of a global batch.
        seed: of order and crops.
        failure: the first error of a reading thread; tf.data would hide its words.
    """

    records: TrackRecords
    patch: int
    batch_size: int
    seed: int
    failure: Exception | None = None

    def steps(self, replicas: int) -> int:
        """Global batches in an epoch."""
        return len(epoch_batches(np.arange(len(self.records.tracks)), self.batch_size, replicas))

    def dataset(self, epoch: int, *, first_step: int = 0, replicas: int = 1, mine: range | None = None) -> Any:
        """The part of an epoch that some replicas see.

        Args:
            epoch: which one; decides order and crops.
            first_step: skip the batches before it, without reading them.
            replicas: of all workers together; each global batch is cut into as many parts.
            mine: the replicas fed from here, in order; all of them by default.

        Returns:
            A tf.data.Dataset of one element per step and replica: patches float32 [b, patch(, mels)], targets
            float32 [b, tags] (NaN unknown), and the number of known targets in the whole global batch, float32.
        """
        mine = range(replicas) if mine is None else mine
        tracks = self.records.tracks
        order = epoch_order(tracks, self.seed, epoch)
        batches = epoch_batches(order, self.batch_size, replicas)[first_step:]
        parts = [
            (np.array_split(batch, replicas)[replica], _known(tracks, batch)) for batch in batches for replica in mine
        ]

        def load(number: Any) -> Any:
            tracks_of_part, known = parts[int(number)]
            try:
                patches = np.stack([self._patch(int(track), epoch) for track in tracks_of_part])
            except (TagscaleError, OSError) as error:
                self.failure = self.failure or error
                raise
            return patches, tracks.targets[tracks_of_part], np.float32(known)

        spec = self.records.spec
        shape = (None, self.patch, spec.mels) if isinstance(spec, LogMelSpec) else (None, self.patch)

        def element(number: Any) -> Any:
            patches, targets, known = tf.numpy_function(load, [number], [tf.float32] * 3)
            patches.set_shape(shape)
            targets.set_shape((None, tracks.targets.shape[1]))
            known.set_shape(())
            return patches, targets, known

        return (
            tf.data.Dataset.range(len(parts))
            .map(element, num_parallel_calls=READERS, deterministic=True)
            .prefetch(2 * len(mine))
        )

    def _patch(self, track: int, epoch: int) -> npt.NDArray[np.float32]:
        values = self.records.read(track)
        start = random_start(len(values), self.patch, (self.seed, _CROPS, epoch, track))
        return as_float(cut(values, start, self.patch))


def _known(tracks: LabelledTracks, batch: npt.NDArray[np.int64]) -> int:
    return max(1, int(np.count_nonzero(~np.isnan(tracks.targets[batch]))))
