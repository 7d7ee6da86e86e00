"""Write the folder RUN/tensorboard while a run is trained.

TensorBoard's own writers append to one file named after the time and the process, so a run that was killed and resumed
would show points twice, and a bucket cannot append. Here every checkpoint gets a whole file of its own, named after its
step, and resuming from a checkpoint removes the files after it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto.event_pb2 import Event

from schemas.storage.files import exists, join, list_names, read_bytes, remove, write_atomic
from training.tensorboard.events import curve_point, event_file, place_of, points_of, scalar_point
from training.tensorboard.pr_curves import curves

LOSS_STEPS = 10  # steps between two points of the loss within an epoch
_PREFIX = "events.out.tfevents."  # TensorBoard identifies event files by it
_NAME = re.compile(re.escape(_PREFIX) + r"step-(\d{12})")
_NOT_SERIES = ("epoch", "step")  # fields of a metrics.jsonl line that are no series


class TensorBoardFolder:
    """Collects points and writes them with each checkpoint. Among several workers, only the chief has one.

    Args:
        folder: RUN/tensorboard, local or a URI.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._points: list[Event] = []

    def begin(self, step: int) -> None:
        """Remove what was written after a step: the run resumes from its checkpoint.

        Args:
            step: steps taken at the checkpoint; 0 for a new run.
        """
        self._points.clear()
        for name in list_names(self._folder):
            written = _NAME.fullmatch(name)
            if written is not None and int(written[1]) > step:
                remove(join(self._folder, name))

    def add_loss(self, step: int, loss: float) -> None:
        """Record the loss of a step, every few steps.

        Args:
            step: steps taken, this one included.
            loss: loss of the step's global batch.
        """
        if step % LOSS_STEPS == 0:
            self._points.append(scalar_point("step/loss", step, loss))

    def add_line(self, fields: Mapping[str, Any], *, by_step: bool = False) -> None:
        """Record the numbers of an epoch, or of the steps since the last validation.

        Args:
            fields: their line of metrics.jsonl; every number in it becomes a point.
            by_step: whether a point is at its step; otherwise it is at its epoch, or at the one that is under way.
        """
        series, place = ("every", fields["step"]) if by_step else ("epoch", math.ceil(fields["epoch"]))
        for name, value in fields.items():
            if name not in _NOT_SERIES and isinstance(value, int | float) and math.isfinite(value):
                self._points.append(scalar_point(f"{series}/{name}", place, value))

    def add_curves(
        self,
        place: int,
        vocabulary: Sequence[str],
        targets: npt.NDArray[np.float32],
        scores: npt.NDArray[np.floating[Any]],
        positive_at: float,
    ) -> None:
        """Record the precision-recall curves of the validation split.

        Args:
            place: number of the epoch or the step after which the split was scored.
            vocabulary: the tags.
            targets: float32 [tracks, tags]; NaN is unknown.
            scores: [tracks, tags] in [0, 1].
            positive_at: lowest target that counts as positive.
        """
        for tag, counts, words in curves(vocabulary, targets, scores, positive_at):
            self._points.append(curve_point(f"validation/{tag}", place, counts, words))

    def flush(self, step: int) -> None:
        """Write the recorded points; call this before the checkpoint of this step is saved.

        Args:
            step: steps taken. A point that the step's file already holds is replaced.
        """
        if not self._points:
            return
        uri = join(self._folder, f"{_PREFIX}step-{step:012d}")
        new = {place_of(point) for point in self._points}
        before = points_of(read_bytes(uri), where=uri) if exists(uri) else []
        write_atomic(uri, event_file([*(point for point in before if place_of(point) not in new), *self._points]))
        self._points.clear()
