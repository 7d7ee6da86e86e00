"""Decode in a separate process, so that a file that crashes, hangs or floods the decoder costs one reject row."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.child_process import ChildEnded, ChildProcess
from pipeline.audio.engines import Decoder
from pipeline.audio.fetch import RemotePieces
from pipeline.audio.limits import MAX_SECONDS
from pipeline.audio.turns import Turns
from schemas.examples import EXAMPLE_DTYPES
from schemas.features import LogMelSpec, canonical_json

MEMORY_BYTES = 4 << 30  # address space of a decoding process (4 GiB); its libraries map about 1 GiB
STALL_SECONDS = 4.0  # a decoder counts as hung after this long without progress; a block takes some 10 ms
_STALL_SECONDS_OF_TENSORFLOW = 60.0  # tensorflow-io takes seconds to import and decodes a whole file in one call
_ADDRESS_SPACE_OF_TENSORFLOW = 64 << 30  # tensorflow-io maps far more than it uses (64 GiB)
_BLOCK_BYTES = 1 << 20  # read at a time from the results

_CAUSES = {"stalled": Cause.DECODER_TIMEOUT, "memory": Cause.DECODER_MEMORY, "crash": Cause.DECODER_CRASH}


@dataclasses.dataclass(frozen=True)
class DecodedArray:
    """A feature in the file to which a decoding process writes its results; valid until its next track.

    Attributes:
        shape: [samples] or [frames, mels].
        dtype: Type of the values.
        offset: Offset in the file in bytes.
        descriptor: Descriptor of the file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    descriptor: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def blocks(self) -> Iterator[bytes]:
        """Its bytes in blocks, so that a long track takes little memory."""
        for start in range(0, self.nbytes, _BLOCK_BYTES):
            yield os.pread(self.descriptor, min(_BLOCK_BYTES, self.nbytes - start), self.offset + start)

    def part(self, first: int, end: int) -> npt.NDArray[Any]:
        """The samples or frames from `first` up to `end`."""
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        data = os.pread(self.descriptor, (end - first) * row, self.offset + first * row)
        return np.frombuffer(data, self.dtype).reshape(end - first, *self.shape[1:])

    def array(self) -> npt.NDArray[Any]:
        """The whole feature in memory."""
        return np.frombuffer(b"".join(self.blocks()), self.dtype).reshape(self.shape)


@dataclasses.dataclass(frozen=True)
class Features:
    """What a decoding process returns for a track.

    Attributes:
        waveform: int16 [samples].
        logmel: float16 [frames, mels].
        facts: source_seconds, sample_rate, channels, codec, flags, message.
        seconds: Time that `decode` took, with what was fetched meanwhile, and `logmel`.
    """

    waveform: DecodedArray
    logmel: DecodedArray
    facts: dict[str, Any]
    seconds: dict[str, float]


class DecodingProcess:
    """A decoding process that is started on demand, and restarted after it died.

    Args:
        spec: Features to compute.
        decoder: Decoder engine.
        strict: Reject truncated and corrupt files.
        max_seconds: Reject longer sources.
        max_samples: Reject tracks whose stored waveform would have more samples; None for no limit.
        memory_bytes: Address space that the process may use.
        stall_seconds: Time that it may work without progress.
        module: Module to run; tests pass one that misbehaves.

    Attributes:
        cpu_seconds: CPU time of the running process, including its start, as of its last answer; 0 if none is running.
    """

    def __init__(
        self,
        spec: LogMelSpec,
        decoder: Decoder = "auto",
        *,
        strict: bool = False,
        max_seconds: float = MAX_SECONDS,
        max_samples: int | None = None,
        memory_bytes: int | None = None,
        stall_seconds: float | None = None,
        module: str = "pipeline.audio.decoding_process",
    ) -> None:
        self._spec = spec
        self._decoder = decoder
        self._strict = strict
        self._max_seconds = max_seconds
        self._max_samples = max_samples
        self._turns = Turns()
        self._memory = memory_bytes or (_ADDRESS_SPACE_OF_TENSORFLOW if decoder == "tfio" else MEMORY_BYTES)
        self._stall_seconds = stall_seconds or (_STALL_SECONDS_OF_TENSORFLOW if decoder == "tfio" else STALL_SECONDS)
        self._module = module
        self._process: ChildProcess | None = None
        self.cpu_seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def features(self, path: str, pieces: RemotePieces | None = None) -> Features:
        """Decode a local file, or one that is fetched in pieces.

        If the decoder makes no progress, the file is retried once, alone on this machine.

        Raises:
            TrackRejected: the file cannot be decoded, or the process crashed, hung or ran out of memory.
        """
        try:
            with self._turns.beside_others():
                return self._features(path, pieces)
        except TrackRejected as rejected:
            if rejected.cause is not Cause.DECODER_TIMEOUT:
                raise
        with self._turns.alone():
            return self._features(path, pieces)

    def _features(self, path: str, pieces: RemotePieces | None) -> Features:
        process = self._process or self._start()
        request = {"path": path} if pieces is None else {"path": path, "size": pieces.size}
        try:
            answer = process.ask(request, None if pieces is None else pieces.bring)
        except ChildEnded as ended:
            self._process, self.cpu_seconds = None, 0.0
            self._results.close()
            raise TrackRejected(_CAUSES[ended.how], self._message(ended)) from None
        self.cpu_seconds = answer.get("cpu", 0.0)
        if "cause" in answer:
            raise TrackRejected(Cause(answer["cause"]), answer["message"])
        results = self._results.fileno()
        waveform_offset, samples = answer["waveform"]
        logmel_offset, frames = answer["logmel"]
        return Features(
            DecodedArray((samples,), EXAMPLE_DTYPES["waveform"], waveform_offset, results),
            DecodedArray((frames, self._spec.mels), EXAMPLE_DTYPES["logmel"], logmel_offset, results),
            answer["facts"],
            answer["seconds"],
        )

    def _message(self, ended: ChildEnded) -> str:
        if ended.how == "stalled":
            return f"the decoder made no progress for {self._stall_seconds:g} s"
        return ended.of("the decoder")

    def close(self) -> None:
        """End the process and release its locks."""
        process, self._process = self._process, None
        self.cpu_seconds = 0.0
        if process is not None:
            process.close()
            self._results.close()
        self._turns.close()

    def _start(self) -> ChildProcess:
        # Unlinked from the start, so that nothing is left on the disk however either process ends.
        self._results = tempfile.TemporaryFile()  # noqa: SIM115 (open for the life of the process)
        results = self._results.fileno()
        arguments = [f"--results={results}", f"--memory={self._memory}"]
        arguments += ["--strict"] * self._strict
        arguments += [f"--max-seconds={self._max_seconds!r}"]
        arguments += [] if self._max_samples is None else [f"--max-samples={self._max_samples}"]
        arguments += [f"--decoder={self._decoder}", f"--spec={canonical_json(self._spec.to_dict()).decode()}"]
        self._process = ChildProcess(
            self._module, arguments, [results], stall_seconds=self._stall_seconds, memory_bytes=self._memory
        )
        return self._process
