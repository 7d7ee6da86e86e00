"""A folder of files that appears at its place whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil

from schemas.sole_writer import sole_writer
from schemas.storage.files import (
    TEMPORARY_PREFIX,
    exists,
    is_remote,
    join,
    local_path,
    publish,
    remove,
    require_empty_or,
    write_atomic,
)

BEGUN_NAME = f"{TEMPORARY_PREFIX}begun"  # in a folder that is filled in place, until it is whole
# What stands in the way of a rename: a mount point, a link to another disk, a folder above that is not ours.
_NOT_RENAMED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV),
    *(errno.EMFILE, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL),  # as a mounted bucket answers
)


def require_replaceable(out: str, marker: str, what: str) -> None:
    """Raise UserError unless a folder is empty, or of the kind that `place_folder` makes, or was begun by it.

    Args:
        out: the folder.
        marker: the file that a whole one has.
        what: it is, for the error.
    """
    if not exists(join(out, BEGUN_NAME)):
        require_empty_or(out, marker, what)


def place_folder(folder: str, out: str, marker: str) -> int:
    """Bring a finished local folder to its place; one of its kind that is there is replaced.

    What the user has put beside its files stays. Where folders cannot be renamed, as in a bucket, the files are brought one by
    one, `marker` last, and readers find none meanwhile.

    Args:
        folder: the finished one; it is left as it is.
        out: its place, for which `require_replaceable` holds.
        marker: the file without which readers take it for nothing.

    Returns:
        Bytes of all files.
    """
    names = sorted(
        os.path.relpath(os.path.join(where, name), folder) for where, _, files in os.walk(folder) for name in files
    )
    if is_remote(out):
        _fill(folder, names, out, marker)
    else:
        try:
            _swap(folder, os.path.realpath(local_path(out)))
        except OSError as error:
            if error.errno not in _NOT_RENAMED:
                raise
            _fill(folder, names, local_path(out), marker)
    return sum(os.path.getsize(os.path.join(folder, name)) for name in names)


def _swap(folder: str, out: str) -> None:
    above, name = os.path.split(out)
    new, old = (os.path.join(above, f"{TEMPORARY_PREFIX}{kind}-{name}") for kind in ("new", "old"))
    os.makedirs(new, exist_ok=True)
    with sole_writer(new, "folder", shown=out):  # and nobody else brings another one here
        if not os.path.lexists(out) and os.path.isdir(old):
            os.rename(old, out)  # a call was killed between its two renames
        for left in os.listdir(new):
            _remove(os.path.join(new, left))
        shutil.rmtree(old, ignore_errors=True)
        try:
            shutil.copytree(folder, new, copy_function=_copy, dirs_exist_ok=True)
            os.chmod(new, 0o755)  # that of a temporary folder would hide it from the rest of the team
            if os.path.isdir(out):
                _keep_others(out, new)
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


def _keep_others(out: str, new: str) -> None:
    """Copy what stands in a folder beside files of the new one's names."""
    for name in os.listdir(out):
        source, target = os.path.join(out, name), os.path.join(new, name)
        if name.startswith(TEMPORARY_PREFIX) or os.path.lexists(target):
            continue
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target, follow_symlinks=False)


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def _fill(folder: str, names: list[str], out: str, marker: str) -> None:
    write_atomic(join(out, BEGUN_NAME), b"")
    remove(join(out, marker))
    for name in sorted(names, key=lambda name: name == marker):
        path = os.path.join(folder, name)
        if is_remote(out):
            publish(path, join(out, name))
        else:
            with open(path, "rb") as file:
                write_atomic(join(out, name), file.read())
    remove(join(out, BEGUN_NAME))
