"""Score patches in a separate process, so that a track on which the model crashes or hangs costs one reject row."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.child_process import ChildEnded, ChildProcess
from pipeline.audio.turns import Turns
from pipeline.tagging.inference_process import shared_arrays, shared_bytes
from pipeline.tagging.model_files import Runtime, ServedModel, local_model

START_SECONDS = 600.0  # time allowed to import the runtime and load the model on a busy machine
STALL_SECONDS = 120.0  # a batch takes some seconds on one core
_MODULES: dict[Runtime, str] = {
    "tensorflow": "pipeline.tagging.inference_process",
    "onnx": "pipeline.tagging.onnx_process",
}
_CAUSES = {"stalled": Cause.INFERENCE_TIMEOUT, "memory": Cause.INFERENCE_MEMORY, "crash": Cause.INFERENCE_CRASH}


class Inference:
    """A model in a process that is started on demand, and restarted after it died.

    Args:
        model: The model.
        batch: Largest number of patches that go through it together.
        stall_seconds: Time that a batch may take.
        module: Module to run [default: that of the model's runtime]; tests pass one that misbehaves.

    Attributes:
        patches: float32 [batch, *patch], to be filled before `run`.
    """

    def __init__(
        self,
        model: ServedModel,
        batch: int,
        *,
        stall_seconds: float = STALL_SECONDS,
        module: str | None = None,
    ) -> None:
        self._model, self._batch = model, batch
        self._stall_seconds, self._module = stall_seconds, module or _MODULES[model.runtime]
        self._width = len(model.entry.tags) + model.entry.embedding
        self._turns = Turns()
        self._process: ChildProcess | None = None
        self._open = contextlib.ExitStack()
        self._folder: str | None = None
        shape = (batch, model.patch_shape, self._width)
        self._memory = os.memfd_create("tagscale-patches")
        self._open.callback(os.close, self._memory)
        os.ftruncate(self._memory, shared_bytes(*shape))
        self.patches, self._results = shared_arrays(self._memory, *shape)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and remove a copy of the model."""
        if self._process is not None:
            self._process.close()
            self._process = None
        self._turns.close()
        self._open.close()

    def run(self, rows: int) -> npt.NDArray[np.float32]:
        """Score the first `rows` patches. If nothing comes in time, they are tried once more, alone on this machine.

        Returns:
            float32 [rows, scores and embedding], valid until the next call.

        Raises:
            TrackRejected: The process crashed, hung or ran out of memory on them.
        """
        try:
            with self._turns.beside_others():
                return self._run(rows)
        except TrackRejected as rejected:
            if rejected.cause is not Cause.INFERENCE_TIMEOUT:
                raise
        with self._turns.alone():
            return self._run(rows)

    def _run(self, rows: int) -> npt.NDArray[np.float32]:
        process = self._process or self._start()
        try:
            process.ask({"rows": rows})
        except ChildEnded as ended:
            self._process = None
            stalled = f"the model gave no scores for {self._stall_seconds:g} s"
            words = stalled if ended.how == "stalled" else ended.of("the model")
            raise TrackRejected(_CAUSES[ended.how], words) from None
        return self._results[:rows]

    def _start(self) -> ChildProcess:
        if self._folder is None:
            self._folder = self._open.enter_context(local_model(self._model))
        arguments: list[Any] = [f"--memory={self._memory}", f"--model={self._folder}", f"--batch={self._batch}"]
        arguments += [f"--results={self._width}", "--patch", *self._model.patch_shape]
        self._process = ChildProcess(
            self._module,
            [str(argument) for argument in arguments],
            [self._memory],
            stall_seconds=self._stall_seconds,
            start_seconds=START_SECONDS,
        )
        return self._process


def batch_sizes(rows: int, largest: int) -> Sequence[int]:
    """Sizes of the batches into which patches are cut: the largest, then falling powers of two, so that none is padded."""
    sizes = [largest] * (rows // largest)
    left = rows % largest
    return [*sizes, *(1 << bit for bit in reversed(range(left.bit_length())) if left >> bit & 1)]
