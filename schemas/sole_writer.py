"""One command at a time changes a dataset, or what is made of one, on a local disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from schemas.errors import UserError
from schemas.storage import is_remote, local_path


@contextlib.contextmanager
def sole_writer(root: str, what: str = "dataset") -> Iterator[None]:
    """Hold a folder against other commands that would change it; the kernel lets go when a process is killed.

    A bucket has no such lock. There a plan is created only if absent, and all that follows from one plan is the same
    whoever writes it, so two builds do work twice and no harm.

    Args:
        root: the folder, which must be there.
        what: it holds.

    Raises:
        UserError: another command holds it.
    """
    if is_remote(root):
        yield
        return
    descriptor = os.open(local_path(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{root}: another command is changing this {what}; wait until it has ended, or stop it"
            ) from error
        except OSError:  # a network disk without locks: as in a bucket
            pass
        yield
    finally:
        os.close(descriptor)
