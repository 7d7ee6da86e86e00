"""Take turns at decoding on one machine: many at a time, or one alone.

A timeout depends on load. A track whose decoder made no progress is tried once more while no other track of the same
user is decoded on this machine, whichever process or job that belongs to. That is a courtesy to slow tracks and guards
no data: who cannot have a turn, or waits too long for it, decodes without one and says so.
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

SPEAK_SECONDS = 10.0  # of waiting, after which a line says so
WAIT_SECONDS = 300.0  # of waiting, after which a track is decoded without a turn; an hour of audio takes 5 s
_LONGEST_PAUSE = 0.1  # seconds between two looks at a lock


class Turns:
    """The turns of this machine's decoding processes; the kernel gives up those of a process that was killed."""

    def __init__(self) -> None:
        self._folder = os.path.join(tempfile.gettempdir(), f"tagscale-{os.getuid()}")
        self._wait_seconds = WAIT_SECONDS
        self._locks: dict[str, int] = {}
        try:
            # Who wants to be alone holds the door first: those inside finish, and no one else comes in.
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
        """Hold a turn that others may have too."""
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
        """Take the locks one after the other; go on without those that others hold to the last."""
        began = time.monotonic()
        spoken = False
        pause = 0.001
        for name, descriptor in self._locks.items():
            while not _locked(descriptor, kind):
                waited = time.monotonic() - began
                if waited >= self._wait_seconds:
                    self._wait_seconds = 0.0  # who never lets go is waited for once, and not again for every track
                    return
                if waited >= SPEAK_SECONDS and not spoken:
                    spoken = True
                    say(
                        f"process {os.getpid()} waits for its turn at decoding: another process holds "
                        f"{os.path.join(self._folder, name)}; after {self._wait_seconds:g} s it goes on without",
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
    """Descriptors of lock files in a folder that nobody else can write in; raises OSError where it is not such a one.

    A temporary folder is shared: another user may have made one of this name there, with links in it to files of ours.
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
            # Never truncated, and no link is followed: the file is only there to be locked.
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
    """Take a lock if no one holds it; True also on a disk that knows no locks."""
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
