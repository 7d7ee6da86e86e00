"""Read published files, and recognize them by their content."""

from __future__ import annotations

import io
import os
import posixpath
import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from schemas.console.errors import UserError
from schemas.storage.files import is_remote, local_path, read_bytes, read_range
from schemas.storage.store_client import StoreError
from schemas.user_files.text_lines import lines_of, text_of

# Names of the sides of a split in published files and columns, in lower case.
SIDE_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}

_NPY = b"\x93NUMPY"


def in_order(files: Iterable[str]) -> list[str]:
    """The files, each once, in an order that does not depend on the given one."""
    return sorted(set(files))


def is_npy(uri: str) -> bool:
    """True for a NumPy array; raises UserError if there is no such file."""
    try:
        return read_range(uri, 0, len(_NPY)) == _NPY
    except OSError as error:
        raise _unreadable(uri, error) from error


def read_lines(uri: str) -> list[str]:
    """The lines of a text file without their ends and without trailing blank lines; raises UserError."""
    try:
        data = read_bytes(uri)
    except OSError as error:
        raise _unreadable(uri, error) from error
    lines = lines_of(text_of(data, uri))
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UserError(f"{uri}: expected a published file, found an empty one; download it again")
    return lines


def read_npy(uri: str) -> npt.NDArray[np.generic]:
    """A NumPy array, memory-mapped if it is local.

    Raises:
        UserError: the file is truncated, or an array of Python objects, which only running the code in it could read.
    """
    try:
        if is_remote(uri):
            array: npt.NDArray[np.generic] = np.load(io.BytesIO(read_bytes(uri)), allow_pickle=False)
        else:
            array = np.load(local_path(uri), mmap_mode="r", allow_pickle=False)
    except StoreError:
        raise
    except (ValueError, EOFError, OSError) as error:
        if "Object arrays" in str(error) or "Python objects" in str(error):
            raise UserError(
                f"{uri}: expected numbers or text, received pickled Python objects, which can run code when they are "
                "read; save it as an array of numbers"
            ) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise _unreadable(uri, error) from error  # another copy of the file would not help
        raise UserError(f"{uri}: not a whole .npy array: {' '.join(str(error).split())}; download it again") from error
    return array


def side_in_name(uri: str) -> str | None:
    """The side of a split in a file's name, such as `x-train.tsv` or `val_gt.tsv`; None for none or several."""
    words = re.split(r"[^a-z]+", posixpath.basename(uri.replace(os.sep, "/")).lower())
    sides = {SIDE_NAMES[word] for word in words if word in SIDE_NAMES}
    return sides.pop() if len(sides) == 1 else None


def required_side(uri: str, what: str) -> str:
    """The side of a split in a file's name; raises UserError if there is none."""
    side = side_in_name(uri)
    if side is None:
        raise UserError(
            f"{uri}: expected train, validation or test in the name of {what}, as its content does not show which it is; "
            "rename the file as it was published"
        )
    return side


def only_one(uris: Sequence[str], what: str) -> str | None:
    """The only file of a role, or None; raises UserError for two."""
    if len(uris) > 1:
        raise UserError(f"{uris[0]} and {uris[1]}: expected one {what}, received both; leave one out")
    return uris[0] if uris else None


def unrecognized(uri: str, dataset: str, known: Sequence[str]) -> UserError:
    """The error for a file that has none of the known formats."""
    return UserError(
        f"{uri}: not in a format that {dataset} is published in; known are {'; '.join(known)}; leave the file out"
    )


def _unreadable(uri: str, error: OSError) -> Exception:
    if isinstance(error, StoreError):
        return error
    if isinstance(error, FileNotFoundError):
        return UserError(f"{uri}: no such file; check the path")
    return UserError(f"{uri}: cannot be read: {error.strerror or error}")
