"""Check, before a command works for hours, that its results may be written to the folder that the user names."""

from __future__ import annotations

import errno
import os
import tempfile

from schemas.console.errors import UserError
from schemas.storage.files import exists, is_remote, join, list_names, local_path

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)


def require_empty_or(folder: str, marker: str, what: str) -> bool:
    """True if `folder` holds `marker`, False if it is empty or missing; anything else is an error.

    Raises:
        UserError: the folder holds other files, so writing there would mix two jobs; or it is not writable.
    """
    if not local_path(folder).strip():
        raise UserError(f"expected a folder for {what}, received an empty path; name the folder, '.' for this one")
    require_writable(folder)
    if exists(join(folder, marker)):
        return True
    names = list_names(folder)
    if names:
        raise UserError(
            f"{folder}: expected {what} or an empty folder, found {', '.join(names[:3])}"
            f"{' and more' if len(names) > 3 else ''} and no {marker}; choose another folder"
        )
    return False


def require_writable(folder: str) -> None:
    """Raise UserError unless files can be created in a local folder, or in its nearest existing parent.

    A bucket raises at the first write.
    """
    if is_remote(folder):
        return
    place = os.path.abspath(local_path(folder))
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        found = "a file" if place == os.path.abspath(local_path(folder)) else f"the file {place} on the way to it"
        raise UserError(f"{folder}: expected a folder, found {found}; choose another folder")
    try:
        check_writable(place)
    except OSError as error:
        if error.errno in _NOT_WRITABLE:  # other errors, such as a full disk, surface in the write that fails
            raise UserError(f"{folder}: cannot be written in: {error.strerror}; choose another folder") from error


def check_writable(folder: str) -> None:
    """Raise OSError unless files can be created in a local folder; a bucket raises at the first write."""
    if not is_remote(folder):
        with tempfile.TemporaryFile(dir=local_path(folder)) as file:
            file.write(b"\0")
