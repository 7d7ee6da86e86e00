"""Take turns at decoding on one machine: many processes at a time, or one alone.

A timeout depends on load. A track whose decoder made no progress is retried once while no other track of the same user is
decoded on this machine, in any process or job. That is a courtesy to slow tracks and protects no data: a process that cannot
get a turn, or waits too long for one, decodes without it and prints a warning.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator

from schemas.console.terminal import say

SPEAK_SECONDS = 10.0  # wait after which a line is printed
WAIT_SECONDS = 300.0  # wait after which a track is decoded without a turn; an hour of audio takes 5 s
_LONGEST_PAUSE = 0.1  # seconds between two attempts to take a lock


class Turns:
    """The turns of this machine's decoding processes; the kernel releases those of a killed process."""

    def __init__(self) -> None:
        self._folder = os.path.join(tempfile.gettempdir(), f"tagscale-{os.getuid()}")
        self._wait_seconds = WAIT_SECONDS
        self._locks: dict[str, int] = {}
        try:
            # A process that wants to be alone locks the door first: those inside finish, and no other enters.
            self._locks = _open_locks(self._folder, ("door", "room"))
        except OSError as error:
            _warn_once(
                f"warning: {self._folder}: {error.strerror}, so decoding processes take no turns here: a track that is "
                "tried again after a timeout may not be alone; set TMPDIR to a folder of your own"
            )

    def close(self) -> None:
        for descriptor in self._locks.values():
            os.close(descriptor)
        self._locks = {}

    @contextlib.contextmanager
    def beside_others(self) -> Iterator[None]:
        """Hold a turn that other processes may share."""
        try:
            self._take(fcntl.LOCK_SH)
            self._let_go("door")
            yield
        finally:
            self._let_go("room", "door")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the only turn."""
        try:
            self._take(fcntl.LOCK_EX)
            yield
        finally:
            self._let_go("room", "door")

    def _take(self, kind: int) -> None:
        """Take the locks one after the other; continue without them if others hold one for too long."""
        began = time.monotonic()
        spoken = False
        pause = 0.001
        for name, descriptor in self._locks.items():
            while not _locked(descriptor, kind):
                waited = time.monotonic() - began
                if waited >= self._wait_seconds:
                    self._wait_seconds = 0.0  # wait only once for a lock that is never released, not for every track
                    return
                if waited >= SPEAK_SECONDS and not spoken:
                    spoken = True
                    say(
                        f"process {os.getpid()} waits for its turn at decoding: another process holds "
                        f"{os.path.join(self._folder, name)}; after {self._wait_seconds:g} s it continues without",
                        file=sys.__stderr__,  # a worker's sys.stderr may lead nowhere
                    )
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._wait_seconds = WAIT_SECONDS

    def _let_go(self, *names: str) -> None:
        for name in names:
            if name in self._locks:
                with contextlib.suppress(OSError):  # see _locked
                    fcntl.flock(self._locks[name], fcntl.LOCK_UN)


def _open_locks(folder: str, names: tuple[str, ...]) -> dict[str, int]:
    """Descriptors of lock files in a folder that only this user can write to; raises OSError for any other folder.

    The temporary folder is shared: another user may have created a folder of this name there, with links to our files.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    locks: dict[str, int] = {}
    try:
        status = os.fstat(place)
        if status.st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "the folder belongs to another user")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise PermissionError(errno.EPERM, "the folder is open to other users")
        for name in names:
            # The file exists only to be locked, so it is never truncated and no link is followed.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            locks[name] = os.open(name, flags, 0o600, dir_fd=place)
    except OSError:
        for descriptor in locks.values():
            os.close(descriptor)
        raise
    finally:
        os.close(place)
    return locks


def _locked(descriptor: int, kind: int) -> bool:
    """Take a lock if no other process holds it; also True on a disk without lock support."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@functools.cache
def _warn_once(words: str) -> None:
    say(words, file=sys.stderr, level="warning")
