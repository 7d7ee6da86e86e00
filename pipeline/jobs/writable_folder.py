"""A folder that a command is about to fill."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from schemas.console.errors import UserError
from schemas.storage.files import check_writable, make_folder, remove_empty_folder


@contextlib.contextmanager
def writable_folder(root: str) -> Iterator[None]:
    """Make a folder; take it away again where nothing came into it.

    Raises:
        UserError: it cannot be made or written in.
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
