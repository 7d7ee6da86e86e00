"""Decode in a process of its own, so that a file that crashes, hangs or floods the decoder costs one reject row."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import Decoder
from schemas.features import LogMelSpec, canonical_json

MEMORY_BYTES = 4 << 30  # address space of a decoding process (4 GiB); its libraries map about 1 GiB
STALL_SECONDS = 60.0  # without progress, after which a decoder counts as hung
START_SECONDS = 120.0  # for the process to come up on a busy machine
_ADDRESS_SPACE_OF_TENSORFLOW = 64 << 30  # tensorflow-io maps far more than it uses (64 GiB)

# One thread each: the Beam worker's siblings fill the other cores. Set before numpy is imported in the child.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


@dataclasses.dataclass(frozen=True)
class Features:
    """What a decoding process returns for a track.

    Attributes:
        waveform: int16 [samples].
        logmel: float16 [frames, mels].
        facts: source_seconds, sample_rate, channels, codec, flags.
    """

    waveform: npt.NDArray[np.int16]
    logmel: npt.NDArray[np.float16]
    facts: dict[str, Any]


class DecodingProcess:
    """A decoding process that is started when it is needed, and again after it died.

    Args:
        spec: the features to make.
        decoder: the decoder engine.
        memory_bytes: address space that the process may use.
        stall_seconds: how long it may work without progress.
        module: the module that is run; tests put one there that misbehaves.
    """

    def __init__(
        self,
        spec: LogMelSpec,
        decoder: Decoder = "auto",
        *,
        memory_bytes: int | None = None,
        stall_seconds: float = STALL_SECONDS,
        module: str = "pipeline.audio.decoding_process",
    ) -> None:
        self._spec = spec
        self._decoder = decoder
        self._memory = memory_bytes or (_ADDRESS_SPACE_OF_TENSORFLOW if decoder == "tfio" else MEMORY_BYTES)
        self._stall_seconds = stall_seconds
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def features(self, path: str) -> Features:
        """Decode a local file; raises TrackRejected, also where the process crashed, hung or ran out of memory."""
        process = self._process or self._start()
        try:
            os.write(_descriptor(process.stdin), json.dumps({"path": path}).encode() + b"\n")
            answer = self._answer(process)
        except BrokenPipeError:
            answer = self._ended(process)
        if "cause" in answer:
            raise TrackRejected(Cause(answer["cause"]), answer["message"])
        samples, frames = answer["samples"], answer["frames"]
        waveform_bytes, logmel_bytes = 2 * samples, 2 * frames * self._spec.mels
        results = self._results.fileno()
        waveform = np.frombuffer(os.pread(results, waveform_bytes, 0), "<i2")
        logmel = np.frombuffer(os.pread(results, logmel_bytes, waveform_bytes), "<f2").reshape(frames, self._spec.mels)
        return Features(waveform, logmel, answer["facts"])

    def close(self) -> None:
        """End the process; the next call of `features` starts another."""
        process, self._process = self._process, None
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
        # Unlinked from the start: nothing is left on the disk however either process ends.
        self._results = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        # What decoders print; the last line explains a crash.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        child_end, self._lifeline = os.pipe()
        command = [sys.executable, "-m", self._module]
        command += [f"--results={self._results.fileno()}", f"--lifeline={child_end}", f"--memory={self._memory}"]
        command += [f"--decoder={self._decoder}", f"--spec={canonical_json(self._spec.to_dict()).decode()}"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            pass_fds=(self._results.fileno(), child_end),
            env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1"), "PYTHONPATH": _python_path()},
        )
        os.close(child_end)
        self._pending = b""
        self._patience = START_SECONDS  # until it says that it is ready
        return self._process

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience
        stdout = _descriptor(process.stdout)
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                fields: dict[str, Any] = json.loads(line)
                if "progress" not in fields:
                    return fields
                self._patience = self._stall_seconds
                deadline = time.monotonic() + self._patience
                continue
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.close()
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
        code = process.wait()
        words = os.pread(self._words.fileno(), 1 << 16, max(0, os.fstat(self._words.fileno()).st_size - (1 << 16)))
        last = words.decode(errors="replace").strip().splitlines()[-1:]
        self.close()
        if code > 0 and last and last[0].split(":")[0].endswith("MemoryError"):  # numpy has one of its own
            return {"cause": Cause.DECODER_MEMORY, "message": "the decoder asked for more memory than it may use"}
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code > 0 and last:
            how += f": {last[0]}"
        return {"cause": Cause.DECODER_CRASH, "message": f"the decoder's process ended by {how}"}


def _descriptor(stream: Any) -> int:
    return int(stream.fileno())


def _python_path() -> str:
    """Where the child finds these packages, also when only the parent's sys.path names the checkout."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    inherited = os.environ.get("PYTHONPATH")
    return root if not inherited else os.pathsep.join((root, inherited))
