"""Programs that a test runs as a user would."""

from __future__ import annotations

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
