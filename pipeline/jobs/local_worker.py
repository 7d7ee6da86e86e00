"""A Beam worker process on this machine that ends with the command that started it.

Beam's local runner starts it as `python -m pipeline.jobs.local_worker PARENT MODULE`. Beam's own worker notices the end of
its runner only by lost connections: one that is still starting runs on for seconds, and prints the lost connections on the
terminal.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # option of prctl(2)


def main() -> None:
    parent, module = int(sys.argv[1]), sys.argv[2]
    _end_with(parent)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    """Make the kernel end this process with the thread that started it: a thread of Beam that waits for this process."""
    with contextlib.suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the option was set
        os._exit(1)


if __name__ == "__main__":
    main()
