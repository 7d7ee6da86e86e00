"""Create the folder that a command is about to fill."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from schemas.console.errors import UserError
from schemas.storage.files import make_folder, remove_empty_folder
from schemas.storage.output_folders import check_writable


@contextlib.contextmanager
def writable_folder(root: str) -> Iterator[None]:
    """Create a folder; remove it again if it stays empty.

    Raises:
        UserError: it cannot be created or is not writable.
    """
    try:
        make_folder(root)
        check_writable(root)
    except OSError as error:
        raise UserError(f"{root}: cannot be written in: {error.strerror or error}; choose another folder") from error
    try:
        yield
    finally:
        remove_empty_folder(root)
