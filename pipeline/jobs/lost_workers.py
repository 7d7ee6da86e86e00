"""Detect that a local runner lost a worker process, which the runner itself does not notice.

FnApiRunner waits forever for the answer of a worker that was killed, usually for its memory. The only sign is that the
threads that wait for the process and read its answers end with an error.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_WORKER_THREADS = ("run_worker", "beam_control_read", "read_grpc_client_input")  # Beam's names for those threads
_SIGNAL = signal.SIGUSR1


class WorkerLostError(Exception):
    """A worker process ended before its work was done."""


@contextlib.contextmanager
def ended_by_lost_worker() -> Iterator[None]:
    """Raise WorkerLostError in the body as soon as one of Beam's worker processes dies.

    The body then hangs in a lock, which only a signal can interrupt, and only in the main thread; in any other thread this
    function does nothing.
    """
    main = threading.current_thread()
    if main is not threading.main_thread():
        yield
        return
    watching = threading.Lock()  # held from the first loss on, and after the body: at most one signal, and none late
    previous_hook = threading.excepthook

    def on_failed_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.thread is None or failed.thread.name not in _WORKER_THREADS:
            previous_hook(failed)
        elif watching.acquire(blocking=False):
            signal.pthread_kill(main.ident or 0, _SIGNAL)

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        raise WorkerLostError("a worker process was killed, perhaps for lack of memory")

    previous_handler = signal.signal(_SIGNAL, on_signal)
    threading.excepthook = on_failed_thread
    try:
        yield
    finally:
        watching.acquire(blocking=False)
        threading.excepthook = previous_hook
        signal.signal(_SIGNAL, previous_handler)
