"""A pipe by which a child process ends with its parent."""

from __future__ import annotations

import fcntl
import os
import select


def end_with_parent(lifeline: int) -> None:
    """Make the kernel end this process when the pipe's other end closes, however the parent ended.

    SIGIO ends a process that does not handle it, even one that hangs in native code while holding the interpreter's lock,
    where a thread that waits for the pipe would never run.

    Args:
        lifeline: Descriptor of the end of the pipe that this process inherited.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # the parent ended before the signal was requested
        os._exit(1)
