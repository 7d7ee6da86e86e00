"""A Beam worker process on this machine, which ends with the command that started it.

Started by Beam's local runner as `python -m pipeline.jobs.local_worker PARENT MODULE`. A worker of Beam's own notices
the end of its runner by lost connections alone: one that is still starting goes on for seconds, and says on the terminal
what it lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # of prctl(2)


def main() -> None:
    parent, module = int(sys.argv[1]), sys.argv[2]
    _end_with(parent)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    """Let the kernel end this process with the thread that started it: Beam's, which waits for it to the last."""
    with contextlib.suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


if __name__ == "__main__":
    main()
