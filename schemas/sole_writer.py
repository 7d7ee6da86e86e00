"""Locks by which one command at a time changes a dataset, or what is made from one, on a local disk.

Long work locks a folder, and a second command of its kind is refused at once: a build locks the dataset's folder, and a
command that changes features of finished generations locks the folder of the features. A short change of the small files
that all commands share waits for its turn: it locks the folder of the plans, and only then reads what it changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator

from schemas.console.errors import UserError
from schemas.console.terminal import say
from schemas.layout import Layout
from schemas.storage.files import is_remote, local_path, make_folder

PATIENCE_SECONDS = 600.0  # longest wait of a short change for other commands
_SAID_AFTER_SECONDS = 3.0  # wait after which a line is printed, so that it does not look like a hang
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def sole_writer(root: str, what: str = "dataset", *, shown: str | None = None, patience: float = 0.0) -> Iterator[None]:
    """Lock a folder against other commands that would change it; the kernel releases the lock of a killed process.

    A bucket has no such lock. There a plan is created only if absent, and everything that follows from a plan is the same
    for every writer, so two builds duplicate work but do no harm.

    Args:
        root: The folder, which must exist.
        what: Kind of its contents, for the error.
        shown: Path that an error names; None for the folder.
        patience: Seconds to wait for a command that holds the lock.

    Raises:
        UserError: another command holds the lock.
    """
    if is_remote(root):
        yield
        return
    descriptor = os.open(local_path(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _acquire(descriptor, shown or root, what, patience)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def changing(layout: Layout) -> Iterator[None]:
    """Lock a dataset while its small files are read and changed: dataset.json, removed.parquet, splits, labels.

    A command that holds the lock must not take it again.

    Args:
        layout: Layout of an existing dataset.

    Raises:
        UserError: another command held the lock for too long.
    """
    make_folder(layout.plans)
    with sole_writer(layout.plans, shown=layout.root, patience=PATIENCE_SECONDS):
        yield


def _acquire(descriptor: int, root: str, what: str, patience: float) -> None:
    began, said = time.monotonic(), False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            waited = time.monotonic() - began
            if waited >= patience:
                raise UserError(
                    f"{root}: another command is changing this {what}; wait until it has ended, or stop it"
                ) from error
            if waited >= _SAID_AFTER_SECONDS and not said:
                say(f"{root}: waiting for another command that is changing this {what}", file=sys.stderr)
                said = True
            time.sleep(_POLL_SECONDS)
        except OSError:  # a network disk without locks behaves like a bucket
            return
        else:
            return
