"""Cost of a command with all processes that it starts: CPU seconds, wall time, and memory of the largest process.

    python -m benchmarks.tree_cost RESULT.json COMMAND…

This process adopts every orphan of the command, so that all processes are counted, even if the command does not wait for
them.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PR_SET_CHILD_SUBREAPER = 36


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of a command.

    Attributes:
        cpu: user and system CPU seconds of the whole process tree.
        wall: wall time in seconds.
        peak: peak memory of the largest process in bytes.
    """

    cpu: float
    wall: float
    peak: int


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command and measure its cost; raises RuntimeError with the end of its output if it fails."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        counted = [sys.executable, "-m", "benchmarks.tree_cost", result.name, *command]
        ended = subprocess.run(counted, cwd=ROOT, capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{ended.stdout[-500:]}\n{ended.stderr[-2000:]}")
        return Cost(**json.load(result))


def main() -> None:
    result, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.monotonic()
    process = subprocess.Popen(command)
    code = None
    wall = 0.0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            break
        if pid == process.pid:
            process.returncode = code = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss << 10)
    Path(result).write_text(json.dumps(dataclasses.asdict(cost)))
    raise SystemExit(code)


if __name__ == "__main__":
    main()
