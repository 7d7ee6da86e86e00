"""A process of this project that answers requests, and may crash, hang or run out of memory without harm to this one.

It is started as `python -m MODULE` and answers JSON lines: any number of {"progress": true}, then one answer per request.
A pipe that closes with this process ends it too, so that none is left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from schemas.console.stopping import sheltered_children

START_SECONDS = 120.0  # time allowed for the process to start on a busy machine
_OUT_OF_MEMORY_SHARE = 0.5  # a process that dies with this share of its allowed memory in use ran out of memory
_OUT_OF_MEMORY_WORDS = ("MemoryError", "bad_alloc", "ResourceExhausted", "Failed to allocate memory")
_PRINTED_BYTES = 1 << 16  # read of what the process has printed; the last line explains a crash

# One thread each, since the Beam worker's siblings fill the other cores. Set before numpy is imported in the child.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

Fetch = Callable[[int, int], dict[str, str]]


class ChildEnded(Exception):  # noqa: N818 (not an error of the program)
    """The process ended before it answered; the next request needs a new one.

    Attributes:
        how: `stalled` if it was killed because it made no progress, `memory` if it asked for more than it may use, else
            `crash`.
        words: Description of its end on one line.
    """

    def __init__(self, how: Literal["stalled", "memory", "crash"], words: str) -> None:
        super().__init__(words)
        self.how, self.words = how, words

    def of(self, whose: str) -> str:
        """Its end in a sentence, such as `the decoder's process ended by signal SIGSEGV`."""
        return f"{whose} {self.words}" if self.how == "memory" else f"{whose}'s process {self.words}"


class ChildProcess:
    """A running process of one of this project's modules.

    Args:
        module: Module to run.
        arguments: Its arguments, to which `--lifeline=DESCRIPTOR` is added.
        descriptors: Open files that it shares.
        stall_seconds: Time that it may work without progress.
        start_seconds: Time that it may take to start.
        memory_bytes: Address space that it was allowed, by which its end is explained; None for no limit.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        *,
        stall_seconds: float,
        start_seconds: float = START_SECONDS,
        memory_bytes: int | None = None,
    ) -> None:
        self._stall_seconds, self._memory = stall_seconds, memory_bytes
        self._patience = start_seconds  # until it reports that it is ready
        self._pending = b""
        self._peak = 0  # bytes of memory that it has been seen to use
        # Unlinked from the start, so that nothing is left on the disk however either process ends.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (open for the life of the process)
        child_end, self._lifeline = os.pipe()
        try:
            with sheltered_children():
                self._process = subprocess.Popen(
                    [sys.executable, "-m", module, *arguments, f"--lifeline={child_end}"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._words,
                    pass_fds=(*descriptors, child_end),
                    env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1"), "PYTHONPATH": _python_path()},
                )
        finally:
            os.close(child_end)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, request: dict[str, Any], fetch: Fetch | None = None) -> dict[str, Any]:
        """Send a request; return the answer.

        Args:
            request: The fields of the request.
            fetch: Brings a piece of a file that the process asks for.

        Raises:
            ChildEnded: The process ended or was killed; it is closed.
        """
        try:
            self._tell(request)
            return self._answer(fetch)
        except BrokenPipeError:
            raise self._ended() from None

    def close(self) -> None:
        """End the process."""
        os.close(self._lifeline)
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._words.close()

    def _tell(self, fields: dict[str, Any]) -> None:
        os.write(_descriptor(self._process.stdin), json.dumps(fields).encode() + b"\n")

    def _answer(self, fetch: Fetch | None) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience
        stdout = _descriptor(self._process.stdout)
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                fields: dict[str, Any] = json.loads(line)
                if "fetch" in fields and fetch is not None:
                    self._tell(fetch(*fields["fetch"]))
                elif "progress" not in fields:
                    return fields
                self._note_peak()
                self._patience = self._stall_seconds
                deadline = time.monotonic() + self._patience
                continue
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.close()
                raise ChildEnded("stalled", f"made no progress for {self._patience:g} s")
            received = os.read(stdout, 1 << 16)
            if not received:
                raise self._ended()
            self._pending += received

    def _note_peak(self) -> None:
        """Note how much memory it has used, if the system's account of its end will be hidden by this process's own."""
        if self._memory is None or _own_peak() < _OUT_OF_MEMORY_SHARE * self._memory:
            return
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/statm") as pages:
            self._peak = max(self._peak, int(pages.read().split()[1]) * resource.getpagesize())

    def _ended(self) -> ChildEnded:
        """The end of a process that ended by itself."""
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = code = os.waitstatus_to_exitcode(status)
        printed = self._words.fileno()
        words = os.pread(printed, _PRINTED_BYTES, max(0, os.fstat(printed).st_size - _PRINTED_BYTES))
        last = (words.decode(errors="replace").strip().splitlines() or [""])[-1]
        self.close()
        # C code seldom checks malloc's result, and C++ ends with its own exception: both look like a crash. numpy,
        # TensorFlow and onnxruntime have words of their own for it.
        named = any(told in last for told in _OUT_OF_MEMORY_WORDS)
        # A child's peak memory starts at its parent's, so only a higher value is evidence.
        most = max(self._peak, usage.ru_maxrss << 10 if usage.ru_maxrss << 10 > _own_peak() else 0)
        if named or (self._memory is not None and most > _OUT_OF_MEMORY_SHARE * self._memory):
            return ChildEnded("memory", "asked for more memory than it may use")
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code > 0 and last:
            how += f": {last}"
        return ChildEnded("crash", f"ended by {how}")


def _own_peak() -> int:
    """The most memory in bytes that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _descriptor(stream: Any) -> int:
    return int(stream.fileno())


def _python_path() -> str:
    """PYTHONPATH by which the child finds these packages, even when only the parent's sys.path names the checkout."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    inherited = os.environ.get("PYTHONPATH")
    return root if not inherited else os.pathsep.join((root, inherited))
