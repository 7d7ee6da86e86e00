"""Put a folder of files in its place as a whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence

from schemas.sole_writer import sole_writer
from schemas.storage.files import (
    TEMPORARY_PREFIX,
    exists,
    is_remote,
    join,
    local_path,
    publish,
    remove,
    write_atomic,
)
from schemas.storage.output_folders import require_empty_or

BEGUN_NAME = f"{TEMPORARY_PREFIX}begun"  # marks a folder that is filled in place, until it is whole
# Errors that prevent a rename: a mount point, a link to another disk, a parent folder that is not ours.
_NOT_RENAMED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV),
    *(errno.EMFILE, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL),  # from mounted buckets
)


def require_replaceable(out: str, marker: str, what: str) -> None:
    """Raise UserError unless a folder is empty, or is one that `place_folder` made or began.

    Args:
        out: the folder.
        marker: the file that a whole folder of the kind has.
        what: name of the kind, for the error.
    """
    if not exists(join(out, BEGUN_NAME)):
        require_empty_or(out, marker, what)


def place_folder(folder: str, out: str, marker: str, optional: Sequence[str] = ()) -> int:
    """Put a finished local folder in its place, replacing an existing one of its kind.

    Files that the user has put there stay. If folders cannot be renamed, for example in a bucket, the files are copied one by
    one, `marker` last, and readers find no whole folder meanwhile.

    Args:
        folder: the finished folder; it is left unchanged.
        out: its place, which has passed `require_replaceable`.
        marker: the file without which readers ignore the folder.
        optional: names of files that an earlier folder may have left, and that go unless this one has them.

    Returns:
        Size of all files in bytes.
    """
    names = sorted(
        os.path.relpath(os.path.join(where, name), folder) for where, _, files in os.walk(folder) for name in files
    )
    stale = [name for name in optional if name not in names]
    if is_remote(out):
        _fill(folder, names, stale, out, marker)
    else:
        try:
            _swap(folder, stale, os.path.realpath(local_path(out)))
        except OSError as error:
            if error.errno not in _NOT_RENAMED:
                raise
            _fill(folder, names, stale, local_path(out), marker)
    return sum(os.path.getsize(os.path.join(folder, name)) for name in names)


def _swap(folder: str, stale: Sequence[str], out: str) -> None:
    above, name = os.path.split(out)
    new, old = (os.path.join(above, f"{TEMPORARY_PREFIX}{kind}-{name}") for kind in ("new", "old"))
    os.makedirs(new, exist_ok=True)
    with sole_writer(new, "folder", shown=out):  # nobody else writes another folder here meanwhile
        if not os.path.lexists(out) and os.path.isdir(old):
            os.rename(old, out)  # a call was killed between its two renames
        for left in os.listdir(new):
            _remove(os.path.join(new, left))
        shutil.rmtree(old, ignore_errors=True)
        try:
            shutil.copytree(folder, new, copy_function=_copy, dirs_exist_ok=True)
            os.chmod(new, 0o755)  # the mode of a temporary folder would hide it from the rest of the team
            if os.path.isdir(out):
                _keep_others(out, new, stale)
                os.rename(out, old)
            try:
                os.rename(new, out)
            except BaseException:
                if os.path.isdir(old) and not os.path.lexists(out):
                    os.rename(old, out)
                raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _keep_others(out: str, new: str, stale: Sequence[str]) -> None:
    """Copy the files of the old folder whose names the new folder does not use."""
    for name in os.listdir(out):
        source, target = os.path.join(out, name), os.path.join(new, name)
        if name.startswith(TEMPORARY_PREFIX) or name in stale or os.path.lexists(target):
            continue
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target, follow_symlinks=False)


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def _fill(folder: str, names: list[str], stale: Sequence[str], out: str, marker: str) -> None:
    write_atomic(join(out, BEGUN_NAME), b"")
    for name in (marker, *stale):
        remove(join(out, name))
    for name in sorted(names, key=lambda name: name == marker):
        path = os.path.join(folder, name)
        if is_remote(out):
            publish(path, join(out, name))
        else:
            with open(path, "rb") as file:
                write_atomic(join(out, name), file.read())
    remove(join(out, BEGUN_NAME))
