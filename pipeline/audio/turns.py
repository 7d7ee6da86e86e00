"""Take turns at decoding on one machine: many at a time, or one alone.

A timeout depends on load. A track whose decoder made no progress is tried once more while no other track is decoded
on this machine, whichever process or job that belongs to.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from typing import IO


class Turns:
    """The turns of this machine's decoding processes; the kernel gives up those of a process that was killed."""

    def __init__(self) -> None:
        folder = os.path.join(tempfile.gettempdir(), f"tagscale-{os.getuid()}")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # Who wants to be alone holds the door first: those inside finish, and no one else comes in.
        self._door = open(os.path.join(folder, "door"), "wb")  # noqa: SIM115 (open as long as the turns)
        self._room = open(os.path.join(folder, "room"), "wb")  # noqa: SIM115

    def close(self) -> None:
        self._door.close()
        self._room.close()

    @contextlib.contextmanager
    def beside_others(self) -> Iterator[None]:
        with _locked(self._door, fcntl.LOCK_SH):
            fcntl.flock(self._room, fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with _locked(self._door, fcntl.LOCK_EX), _locked(self._room, fcntl.LOCK_EX):
            yield


@contextlib.contextmanager
def _locked(file: IO[bytes], kind: int) -> Iterator[None]:
    fcntl.flock(file, kind)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
