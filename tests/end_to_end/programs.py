"""Programs that a test runs as a user would."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_program(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float, expected: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; the test fails with what it printed unless the exit code is the expected one."""
    ended = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert ended.returncode == expected, f"{command}\n{ended.stdout[-1500:]}\n{ended.stderr[-3000:]}"
    return ended


def outside_make(*left_out: str) -> dict[str, str]:
    """This process's environment without what `make` sets for a make that it starts, and without the variables named.

    The tests are themselves run by `make test`; a make that they start would otherwise take over its options and print
    the folders that it enters and leaves.
    """
    dropped = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", *left_out}
    return {name: value for name, value in os.environ.items() if name not in dropped}
