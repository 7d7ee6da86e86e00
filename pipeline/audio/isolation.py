"""Decode in a separate process, so that a file that crashes, hangs or floods the decoder costs one reject row."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import Decoder
from pipeline.audio.fetch import RemotePieces
from pipeline.audio.limits import MAX_SECONDS
from pipeline.audio.turns import Turns
from schemas.console.stopping import sheltered_children
from schemas.examples import EXAMPLE_DTYPES
from schemas.features import LogMelSpec, canonical_json

MEMORY_BYTES = 4 << 30  # address space of a decoding process (4 GiB); its libraries map about 1 GiB
STALL_SECONDS = 4.0  # a decoder counts as hung after this long without progress; a block takes some 10 ms
START_SECONDS = 120.0  # time allowed for the process to start on a busy machine
_STALL_SECONDS_OF_TENSORFLOW = 60.0  # tensorflow-io takes seconds to import and decodes a whole file in one call
_ADDRESS_SPACE_OF_TENSORFLOW = 64 << 30  # tensorflow-io maps far more than it uses (64 GiB)
_OUT_OF_MEMORY_SHARE = 0.5  # a process that dies with this share of its allowed memory in use ran out of memory
_BLOCK_BYTES = 1 << 20  # read at a time from the results

# One thread each, since the Beam worker's siblings fill the other cores. Set before numpy is imported in the child.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


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
    """

    waveform: DecodedArray
    logmel: DecodedArray
    facts: dict[str, Any]


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
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
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
        try:
            _tell(process, {"path": path} if pieces is None else {"path": path, "size": pieces.size})
            answer = self._answer(process, pieces)
        except BrokenPipeError:
            answer = self._ended(process)
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
        )

    def close(self) -> None:
        """End the process and release its locks."""
        self._end_process()
        self._turns.close()

    def _end_process(self) -> None:
        """End the process; the next track starts a new one."""
        process, self._process = self._process, None
        self.cpu_seconds = 0.0
        if process is None:
            return
        os.close(self._lifeline)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        self._results.close()
        self._words.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # Unlinked from the start, so that nothing is left on the disk however either process ends.
        self._results = tempfile.TemporaryFile()  # noqa: SIM115 (open for the life of the process)
        # Decoder output; the last line explains a crash.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        child_end, self._lifeline = os.pipe()
        command = [sys.executable, "-m", self._module]
        command += [f"--results={self._results.fileno()}", f"--lifeline={child_end}", f"--memory={self._memory}"]
        command += ["--strict"] * self._strict
        command += [f"--max-seconds={self._max_seconds!r}"]
        command += [] if self._max_samples is None else [f"--max-samples={self._max_samples}"]
        command += [f"--decoder={self._decoder}", f"--spec={canonical_json(self._spec.to_dict()).decode()}"]
        try:
            with sheltered_children():
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._words,
                    pass_fds=(self._results.fileno(), child_end),
                    env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1"), "PYTHONPATH": _python_path()},
                )
        finally:
            os.close(child_end)
        self._pending = b""
        self._patience = START_SECONDS  # until it reports that it is ready
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], pieces: RemotePieces | None) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience
        stdout = _descriptor(process.stdout)
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                fields: dict[str, Any] = json.loads(line)
                if "fetch" in fields and pieces is not None:
                    _tell(process, pieces.bring(*fields["fetch"]))
                elif "progress" not in fields:
                    return fields
                self._patience = self._stall_seconds
                deadline = time.monotonic() + self._patience
                continue
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._end_process()
                return {
                    "cause": Cause.DECODER_TIMEOUT,
                    "message": f"the decoder made no progress for {self._stall_seconds:g} s",
                }
            received = os.read(stdout, 1 << 16)
            if not received:
                return self._ended(process)
            self._pending += received

    def _ended(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """The answer for a process that ended by itself."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        words = os.pread(self._words.fileno(), 1 << 16, max(0, os.fstat(self._words.fileno()).st_size - (1 << 16)))
        last = (words.decode(errors="replace").strip().splitlines() or [""])[-1]
        self._end_process()
        # C code seldom checks malloc's result, and C++ ends with its own exception: both look like a crash.
        named = any(name in last for name in ("MemoryError", "bad_alloc"))  # numpy has a MemoryError of its own
        # A child's peak memory starts at its parent's usage, so only a higher value is evidence.
        inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most = usage.ru_maxrss << 10
        if named or (most > _OUT_OF_MEMORY_SHARE * self._memory and usage.ru_maxrss > inherited):
            return {"cause": Cause.DECODER_MEMORY, "message": "the decoder asked for more memory than it may use"}
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code > 0 and last:
            how += f": {last}"
        return {"cause": Cause.DECODER_CRASH, "message": f"the decoder's process ended by {how}"}


def _tell(process: subprocess.Popen[bytes], fields: dict[str, Any]) -> None:
    """Write a line to the process; raises BrokenPipeError if it is gone."""
    os.write(_descriptor(process.stdin), json.dumps(fields).encode() + b"\n")


def _descriptor(stream: Any) -> int:
    return int(stream.fileno())


def _python_path() -> str:
    """PYTHONPATH by which the child finds these packages, even when only the parent's sys.path names the checkout."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    inherited = os.environ.get("PYTHONPATH")
    return root if not inherited else os.pathsep.join((root, inherited))
