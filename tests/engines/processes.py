"""The processes of an engine's cluster on this machine, each with a log and each ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self


class Processes:
    """A cluster of processes; use it as a context.

    Args:
        folder: Empty folder for its files and logs.

    Attributes:
        config: File for --engine-config.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "engine.yaml"
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self) -> None:
        """Start its processes; returns when they take jobs."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def start(self, name: str, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        """Start a process, with more variables in its environment, and write what it prints to NAME.log."""
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **(variables or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a process, and those that it started, with -9."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        for name in list(self.running):
            self.kill(name)
