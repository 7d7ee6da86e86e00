"""Runs a command in the foreground of its own terminal, whose keys reach all of its processes, as a user's do."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

INTERRUPT, QUIT = b"\x03", b"\x1c"  # bytes that ^C and ^\ send
_COLUMNS = 100


class PseudoTerminal:
    """A command that runs in a new session with a terminal, until the `with` block ends.

    Args:
        command: program and arguments.
        environment: environment of the command.
        folder: working directory of the command.

    Attributes:
        session: id of the session, which is also the id of the command's process.
        shown: everything that the terminal has shown so far.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.session, self._terminal = pty.fork()
        if self.session == 0:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # they are ignored if the tests run in the background
            os.chdir(folder)
            os.execvpe(command[0], list(command), {**environment, "COLUMNS": str(_COLUMNS)})
        self.shown = ""
        self._status: int | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        for process in processes_of(self.session):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.close()
        if self._status is None:
            os.waitpid(self.session, 0)

    def press(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def close(self) -> None:
        """Close the terminal's window."""
        if not self._closed:
            os.close(self._terminal)
            self._closed = True

    def wait_until(self, reached: Callable[[], object], seconds: float = 120) -> None:
        """Read the output until a condition holds; fails if the command ends first."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert self._read(0.005) or self._status is None, f"the command ended first: {self.shown}"
            self._reap()
            assert time.monotonic() < deadline, self.shown

    def wait_for(self, seconds: float) -> None:
        """Read the output for some seconds."""
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end)

    def wait_until_it_handles(self, number: signal.Signals) -> None:
        """Wait until the command has installed a handler for a signal."""
        status = Path(f"/proc/{self.session}/status")
        self.wait_until(lambda: int(status.read_text().split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1)

    def exit_code(self, seconds: float = 60) -> int:
        """Wait for the command to end; returns its exit code, negative for a signal."""
        deadline = time.monotonic() + seconds
        while self._status is None:
            self._read(0.01)
            self._reap()
            assert time.monotonic() < deadline, f"the command is still running: {self.shown}"
        while not self._closed and self._read(0.0):
            pass
        return os.waitstatus_to_exitcode(self._status)

    def wait_until_none_is_left(self, seconds: float = 20) -> None:
        """Wait until all processes that the command started have ended."""
        deadline = time.monotonic() + seconds
        while left := processes_of(self.session):
            self._read(0.01)
            assert time.monotonic() < deadline, left

    def _reap(self) -> None:
        if self._status is None:
            process, status = os.waitpid(self.session, os.WNOHANG)
            self._status = status if process else None

    def _read(self, seconds: float) -> bool:
        if self._closed:
            time.sleep(seconds)
            return False
        if not select.select([self._terminal], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self._terminal, 1 << 16)
        except OSError:  # no process has the other end open any more
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


def processes_of(session: int) -> dict[int, str]:
    """Live processes of a session: id -> command line."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, _, _, its_session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(its_session) == session and state != "Z":
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def lines_of(shown: str) -> list[str]:
    """The lines that were shown, without echoed keys and overwritten text."""
    whole = [line.replace("^C", "").rpartition("\r")[2].strip() for line in shown.replace("\r\n", "\n").split("\n")]
    return [line for line in whole if line]
