"""The training input: a tf.data pipeline whose order is a function of (seed, epoch), for any number of replicas."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.console.errors import TagscaleError
from schemas.features import INT16_SCALE, LogMelSpec
from schemas.patches import cut
from training.data.augmentation import NO_AUGMENTATION, Augmentation, louder, mixed_targets
from training.data.labels import LabelledTracks
from training.data.records import TrackRecords
from training.data.sampling import drawn_tracks
from training.models.patches import start_at

SHARDS_MIXED = 16  # shards whose tracks are shuffled together, so that reads stay close while batches are mixed
READERS = 4  # threads that read batches ahead
AHEAD = 4  # steps kept ready for each replica
_ORDER, _CROPS, _AUGMENTATION, _SAMPLING = 1, 2, 3, 4  # purposes of random numbers


def epoch_order(
    tracks: LabelledTracks, seed: int, epoch: int, drawn: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int64]:
    """The order in which an epoch visits tracks: shards are shuffled, then tracks within every few shards.

    Args:
        tracks: the tracks.
        seed: seed of the order.
        epoch: number of the epoch.
        drawn: int64 [draws], the track of each draw; None to visit each track once.

    Returns:
        int64 [draws], the number of each draw once; the order is the same for any number of workers.
    """
    rng = _generator(seed, _ORDER, epoch)
    # Generation and shard are one number: np.unique takes ten times as long for rows of two.
    names, place = np.unique(tracks.generation * (tracks.shard.max() + 1) + tracks.shard, return_inverse=True)
    shard_turn = rng.permutation(len(names))[place if drawn is None else place[drawn]]
    return np.lexsort((rng.random(len(shard_turn)), shard_turn // SHARDS_MIXED)).astype(np.int64)


def epoch_steps(tracks: int, batch_size: int) -> int:
    """Number of global batches in an epoch."""
    return -(-tracks // batch_size)


def epoch_batches(order: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    """Cut an epoch's order into global batches whose sizes differ by at most one track, none larger than `batch_size`.

    A short last batch would give each of its tracks more weight, and might leave a replica without any.
    """
    return np.array_split(order, epoch_steps(len(order), batch_size))


@dataclasses.dataclass(frozen=True)
class _EpochPlan:
    """The plan of an epoch for a seed. It has as many draws as there are tracks.

    Attributes:
        epoch: number of the epoch.
        drawn: int64 [draws], the track of each draw.
        batches: the draws of each global batch.
        crops: [patches per track, draws], in [0, 1), where each patch begins.
    """

    epoch: int
    drawn: npt.NDArray[np.int64]
    batches: list[npt.NDArray[np.int64]]
    crops: npt.NDArray[np.float64]


@dataclasses.dataclass
class TrainingInput:
    """Patches of training tracks, batch by batch.

    Attributes:
        records: records to read the tracks from.
        patch: length of a patch in frames or samples.
        batch_size: largest number of patches in a global batch.
        seed: seed of order, crops and augmentation.
        augmentation: augmentation of the patches.
        patches_per_track: number of patches that a batch has of each of its tracks.
        rates: float64 [tracks], how often an epoch draws each track on average, which add up to the number of tracks; see
            `drawn_tracks`. None to visit each track once.
        failure: the first error of a reading thread; tf.data would hide its message.
    """

    records: TrackRecords
    patch: int
    batch_size: int
    seed: int
    augmentation: Augmentation = NO_AUGMENTATION
    patches_per_track: int = 1
    rates: npt.NDArray[np.float64] | None = None
    failure: Exception | None = None
    _plan: _EpochPlan | None = dataclasses.field(default=None, init=False, repr=False)
    _planning: threading.Lock = dataclasses.field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def steps(self) -> int:
        """Number of global batches in an epoch."""
        return epoch_steps(len(self.records.tracks), self._batch_tracks)

    @property
    def _batch_tracks(self) -> int:
        """Largest number of tracks in a global batch."""
        return self.batch_size // self.patches_per_track

    def batch_length(self, step: int) -> int:
        """Number of patches in one global batch."""
        whole, longer = divmod(len(self.records.tracks), self.steps)
        return (whole + (step < longer)) * self.patches_per_track

    def track_ids(self, epoch: int, step: int) -> list[str]:
        """The ids of the tracks in one global batch, each once."""
        plan = self._epoch_plan(epoch)
        return list(dict.fromkeys(self.records.tracks.track_ids[track] for track in plan.drawn[plan.batches[step]]))

    def dataset(
        self,
        epoch: int,
        *,
        first_step: int = 0,
        last_step: int | None = None,
        replicas: int = 1,
        mine: range | None = None,
    ) -> Any:
        """The part of an epoch that some replicas see.

        Args:
            epoch: number of the epoch, which decides order, crops and augmentation.
            first_step: skip the batches before it, without reading them.
            last_step: end before this batch; with the epoch by default.
            replicas: number of replicas of all workers together; each global batch is cut into that many parts.
            mine: the replicas fed from here, in order; all of them by default.

        Returns:
            A tf.data.Dataset of one element per step and replica: patches float32 [b, patch(, mels)], targets
            float32 [b, tags], their weights float32 [b, tags] (0 is unknown), and the number of known targets in the
            whole global batch, float32.
        """
        mine = range(replicas) if mine is None else mine
        tracks, spec = self.records.tracks, self.records.spec
        row = (spec.mels,) if isinstance(spec, LogMelSpec) else ()
        stored = tf.float16 if row else tf.int16

        def element(number: Any) -> Any:
            # Stateless: the same number gives the same part. Otherwise op determinism would read the parts in sequence.
            # TensorFlow keeps every function it is given forever, with all that it holds, so it must hold no epoch's plan.
            step, replica = first_step + number // len(mine), mine.start + number % len(mine)
            patches, scales, shares, targets, weights, known = tf.numpy_function(
                self._load, [epoch, step, replica, replicas], [stored, *[tf.float32] * 5], stateful=False
            )
            patches.set_shape((None, self.patch, *row))
            for values in (targets, weights):
                values.set_shape((None, tracks.targets.shape[1]))
            for values in (scales, shares):
                values.set_shape((None,))
            known.set_shape(())
            # The conversion is here because numpy takes ten times as long to convert float16.
            patches = tf.cast(patches, tf.float32)
            if not row:
                patches *= scales[:, tf.newaxis]
            elif self.augmentation.gain_db:
                patches = louder(patches, scales)
            if self.augmentation.mixup:
                own = tf.reshape(shares, (-1, *[1] * (1 + len(row))))
                patches = own * patches + (1 - own) * tf.roll(patches, 1, axis=0)
            return patches, targets, weights, known

        return (
            tf.data.Dataset.range(((self.steps if last_step is None else last_step) - first_step) * len(mine))
            .map(element, num_parallel_calls=READERS, deterministic=True)
            .prefetch(AHEAD * len(mine))
        )

    def _load(self, epoch: Any, step: Any, replica: Any, replicas: Any) -> tuple[Any, ...]:
        """The result of `_part` for one replica, and the number of known targets in the whole global batch, float32."""
        plan = self._epoch_plan(int(epoch))
        batch = plan.batches[int(step)]
        part = np.array_split(batch, int(replicas))[int(replica)]
        try:
            known = _known(self.records.tracks, plan.drawn[batch]) * self.patches_per_track
            return (*self._part(part, plan), np.float32(known))
        except (TagscaleError, OSError) as error:
            self.failure = self.failure or error
            raise

    def _epoch_plan(self, epoch: int) -> _EpochPlan:
        """Draws, order and crops of an epoch; the last requested plan is kept."""
        with self._planning:
            if self._plan is None or self._plan.epoch != epoch:
                tracks = self.records.tracks
                drawn = np.arange(len(tracks))
                if self.rates is not None:
                    drawn = drawn_tracks(self.rates, _generator(self.seed, _SAMPLING, epoch))
                self._plan = _EpochPlan(
                    epoch,
                    drawn,
                    epoch_batches(epoch_order(tracks, self.seed, epoch, drawn), self._batch_tracks),
                    _generator(self.seed, _CROPS, epoch).random((self.patches_per_track, len(tracks))),
                )
            return self._plan

    def _part(self, part: npt.NDArray[np.int64], plan: _EpochPlan) -> tuple[Any, ...]:
        """Stored patches [b, patch(, mels)], their scales and mixing shares [b], targets and weights [b, tags].

        The first patches of all draws come before the second ones, so that mixup mixes different tracks.
        """
        crops = plan.crops
        augmentation, is_logmel = self.augmentation, isinstance(self.records.spec, LogMelSpec)
        of_tracks = [self._patches(int(plan.drawn[draw]), crops[:, draw]) for draw in part]
        stacked = np.stack([patches[number] for number in range(len(crops)) for patches in of_tracks])
        scales, shares = np.ones(len(stacked), np.float32), np.ones(len(stacked), np.float32)
        if augmentation.is_on:
            for place in range(len(stacked)):
                number, draw = divmod(place, len(part))
                rng = _generator(self.seed, _AUGMENTATION, plan.epoch, int(part[draw]), *[number] * (number > 0))
                if is_logmel:
                    augmentation.shift(stacked[place], rng)
                    augmentation.mask(stacked[place], rng)
                scales[place], shares[place] = augmentation.scale(rng), augmentation.share(rng)
        if not is_logmel:
            scales /= np.float32(INT16_SCALE)
        targets = np.tile(self.records.tracks.targets[plan.drawn[part]], (len(crops), 1))
        known = ~np.isnan(targets)
        targets, weights = np.where(known, targets, np.float32(0)), known.astype(np.float32)
        if augmentation.mixup:
            targets, weights = mixed_targets(targets, weights, shares)
        return stacked, scales, shares, targets, weights

    def _patches(self, track: int, crops: npt.NDArray[np.float64]) -> list[npt.NDArray[Any]]:
        found = self.records.read_patches(
            track, self.patch, lambda length: [start_at(length, self.patch, crop) for crop in crops]
        )
        return [cut(values, 0, self.patch) for values in found]


def _generator(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))


def _known(tracks: LabelledTracks, batch: npt.NDArray[np.int64]) -> int:
    return max(1, int(np.count_nonzero(~np.isnan(tracks.targets[batch]))))
