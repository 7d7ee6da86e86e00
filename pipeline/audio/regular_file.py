"""Open a path as audio only if it is a regular file: a pipe would block, and a device never ends."""

from __future__ import annotations

import io
import os
import stat

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFileError(OSError):
    """The path does not name a regular file."""


def open_regular_file(path: str) -> io.FileIO:
    """Open an unbuffered file at its start, following symbolic links.

    Raises:
        NotAFileError: the path names a folder, a pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    return open(path, "rb", buffering=0, opener=_open)


def _open(path: str, flags: int) -> int:
    _require_regular(os.stat(path))  # checked before opening, since opening triggers some devices
    # If something replaced the file since then, opening does not block, and the check of the descriptor finds it.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _require_regular(os.fstat(descriptor))
    except NotAFileError:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotAFileError(f"expected a file, found {_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}")
