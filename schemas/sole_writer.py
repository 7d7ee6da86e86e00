"""One command at a time changes a dataset, or what is made of one, on a local disk.

Work of hours holds a folder, and a second command of its kind is refused at once: a build the dataset's own, what changes
features of finished generations that of the features. What takes a moment, a change of the small files that all commands
share, waits for its turn: it holds the folder of the plans, and reads what it changes only then.
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

PATIENCE_SECONDS = 600.0  # that a change of a moment waits for the others
_SAID_AFTER_SECONDS = 3.0  # of waiting, so that nobody takes it for a hang
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def sole_writer(root: str, what: str = "dataset", *, shown: str | None = None, patience: float = 0.0) -> Iterator[None]:
    """Hold a folder against other commands that would change it; the kernel lets go when a process is killed.

    A bucket has no such lock. There a plan is created only if absent, and all that follows from one plan is the same
    whoever writes it, so two builds do work twice and no harm.

    Args:
        root: the folder, which must be there.
        what: it holds.
        shown: path that an error names; None for the folder.
        patience: seconds to wait for one that holds it.

    Raises:
        UserError: another command holds it.
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
    """Hold a dataset for the moment in which its small files are read and changed: dataset.json, removed.parquet, splits, labels.

    A command that holds it must not ask for it again.

    Args:
        layout: of a dataset that has begun.

    Raises:
        UserError: another command held it all the time.
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
        except OSError:  # a network disk without locks: as in a bucket
            return
        else:
            return
