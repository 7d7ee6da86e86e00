"""Scores of tracks whose patches go through a model in batches that hold patches of several tracks."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.tagging.inference import batch_sizes


class Model(Protocol):
    """Scores patches, see `pipeline.tagging.inference.Inference`."""

    patches: npt.NDArray[np.float32]

    def run(self, rows: int) -> npt.NDArray[np.float32]: ...


@dataclasses.dataclass
class _Sums:
    total: npt.NDArray[np.float64] | None = None
    count: int = 0
    rejected: TrackRejected | None = None


class TrackScores:
    """Averages a model's outputs over the patches of each track.

    Patches fill the batches in the order in which they are added, so the results depend on that order and on nothing else.
    A row of a batch does not depend on the other rows: if the model fails on a batch, each of its tracks is tried alone, in the
    same place with zeros around it, and only those on which it fails again are rejected.

    Args:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tracks: dict[int, _Sums] = {}
        self._owners: list[int] = []

    def add(self, track: int, patch: npt.NDArray[np.float32]) -> bool:
        """Add the next patch of a track; returns False if the track is already rejected and needs no more.

        Args:
            track: Number of the track.
            patch: float32 [at most the patch's length(, mels)]; a shorter one is padded with zeros.
        """
        if self._tracks.setdefault(track, _Sums()).rejected is not None:
            return False
        place = self._model.patches[len(self._owners)]
        place[: len(patch)] = patch
        place[len(patch) :] = 0
        self._owners.append(track)
        if len(self._owners) == len(self._model.patches):
            self._run(len(self._owners))
        return True

    def finish(self) -> None:
        """Score the patches that do not fill a batch."""
        for rows in batch_sizes(len(self._owners), len(self._model.patches)):
            self._run(rows)

    def of(self, track: int) -> npt.NDArray[np.float64]:
        """Average of a track: float64 [scores and embedding].

        Raises:
            TrackRejected: The model failed on the track, or its outputs are not numbers.
        """
        sums = self._tracks[track]
        if sums.rejected is not None:
            raise sums.rejected
        if sums.total is None:
            raise ValueError(f"Expected a track with patches. Received: {track}")
        mean: npt.NDArray[np.float64] = sums.total / sums.count
        if not np.isfinite(mean).all():
            raise TrackRejected(Cause.NOT_FINITE, "the model's scores are not numbers")
        return mean

    def _run(self, rows: int) -> None:
        """Score the first `rows` patches, and move those behind them to the front."""
        patches = self._model.patches
        owners, self._owners = self._owners[:rows], self._owners[rows:]
        waiting = patches[rows : rows + len(self._owners)].copy()
        try:
            self._count(owners, self._model.run(rows))
        except TrackRejected as rejected:
            self._one_by_one(owners, rejected)
        patches[: len(waiting)] = waiting

    def _one_by_one(self, owners: list[int], rejected: TrackRejected) -> None:
        tracks = list(dict.fromkeys(owners))
        if len(tracks) == 1:
            self._tracks[tracks[0]].rejected = rejected
            return
        given = self._model.patches[: len(owners)].copy()
        for track in tracks:
            ours = np.array([owner == track for owner in owners])
            shape = (len(owners), *(1 for _ in given.shape[1:]))
            self._model.patches[: len(owners)] = np.where(ours.reshape(shape), given, 0)
            try:
                outputs = self._model.run(len(owners))
            except TrackRejected as again:
                self._tracks[track].rejected = again
            else:
                self._count([track] * int(ours.sum()), outputs[ours])

    def _count(self, owners: list[int], outputs: npt.NDArray[np.float32]) -> None:
        for owner, output in zip(owners, outputs, strict=True):
            sums = self._tracks[owner]
            sums.total = output.astype(np.float64) if sums.total is None else sums.total + output
            sums.count += 1
