"""Open a path as audio only where it is a regular file: a pipe would be waited for, and a device never ends."""

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
    """The path names something else than a regular file."""


def open_regular_file(path: str) -> io.FileIO:
    """An unbuffered file at its start; a symbolic link to one will do.

    Raises:
        NotAFileError: the path names a folder, a pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    return open(path, "rb", buffering=0, opener=_open)


def _open(path: str, flags: int) -> int:
    _require_regular(os.stat(path))  # before it is opened, since some devices act on that
    # What took the file's place since then is not waited for, and is told by the descriptor itself.
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
