"""Files in a store that fsspec reaches, gs:// above all: what was cut short is never taken for the whole.

What is read or written is held against the size and the checksum that the store names: an answer may end early without
an error, and so may an upload. A create whose first answer was lost finds what it wrote itself, and says so.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, cast

import google_crc32c

from schemas.storage.store_client import ContradictionError, filesystem, tried
from schemas.storage.stored_file import LEAST_READ, MOST_READ, StoredFile

CHUNK_BYTES = 16 << 20  # an upload of more goes in several requests, of which each may be tried again (16 MiB)
_RANGE_NOT_SATISFIABLE = 416  # HTTP's word for a range past the end

Info = dict[str, Any]


def info(uri: str) -> Info:
    """What a store says of a file or folder: `type`, `size` in bytes, and its checksums; raises FileNotFoundError."""
    return tried(uri, lambda: _info(uri))


def list_folder(folder: str) -> list[Info]:
    """What lies directly in a folder, as `info` would say it; empty if there is no such folder."""
    store = filesystem(folder)
    try:
        found = tried(folder, lambda: store.ls(folder, detail=True, refresh=True))
    except FileNotFoundError:
        return []
    own = store._strip_protocol(folder).rstrip("/")
    return [entry for entry in found if entry["name"].rstrip("/") != own]  # an object may stand for the folder itself


def files_below(uri: str) -> list[str]:
    """URIs of all files at or below a place."""
    return _with_scheme(uri, tried(uri, lambda: filesystem(uri).find(uri)))


def matching(pattern: str) -> list[str]:
    """URIs of the files and folders that a glob matches."""
    return _with_scheme(pattern, tried(pattern, lambda: filesystem(pattern).glob(pattern)))


def read(uri: str) -> bytes:
    """A whole file; raises FileNotFoundError."""

    def attempt() -> bytes:
        found = _info(uri)
        data = bytes(filesystem(uri).cat_file(uri))
        _Check(found, [data]).require()
        return data

    return tried(uri, attempt)


def read_range(uri: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`, fewer where the file ends sooner."""

    def attempt() -> bytes:
        try:
            data = bytes(filesystem(uri).cat_file(uri, start=offset, end=offset + length))
        except Exception as error:
            if getattr(error, "code", None) != _RANGE_NOT_SATISFIABLE:
                raise
            data = b""
        if len(data) != length:
            expected = max(0, min(length, int(_info(uri)["size"]) - offset))
            if len(data) != expected:
                raise ContradictionError(f"expected {expected} bytes at byte {offset}, received {len(data)}")
        return data

    return tried(uri, attempt)


def open_read(uri: str) -> BinaryIO:
    """An open file, a large one read piece by piece; raises FileNotFoundError."""
    size = int(info(uri)["size"])
    if size <= MOST_READ:
        return io.BytesIO(read(uri))
    return cast(BinaryIO, io.BufferedReader(StoredFile(uri, size, read_range), LEAST_READ))


def download(uri: str, path: str, found: Info | None = None) -> Info:
    """Copy a file to a local path.

    Args:
        uri: of the file.
        path: of the copy.
        found: what `info` said, where that is known.

    Returns:
        What the store says of the file that was copied.

    Raises:
        FileNotFoundError: there is none.
    """
    known = found

    def attempt() -> Info:
        nonlocal known
        copied, known = known or _info(uri), None  # where this fails, the file may have changed since
        with open(path, "wb") as file:
            _pass_on(uri, copied, file.write)
        return copied

    return tried(uri, attempt)


def sha256(uri: str) -> str:
    """SHA-256 of a file, hex; raises FileNotFoundError."""

    def attempt() -> str:
        digest = hashlib.sha256()
        _pass_on(uri, _info(uri), digest.update)
        return digest.hexdigest()

    return tried(uri, attempt)


def _pass_on(uri: str, found: Info, take: Callable[[bytes], object]) -> None:
    """Give all bytes of a file to `take`, block by block; raises ContradictionError where they were not its bytes."""
    check = _Check(found)
    for offset in range(0, int(found["size"]), MOST_READ):
        block = read_range(uri, offset, min(MOST_READ, int(found["size"]) - offset))
        check.update(block)
        take(block)
    check.require()


def write(uri: str, data: bytes) -> None:
    """Write a file, whole or not at all."""
    store = filesystem(uri)
    _upload(uri, lambda: store.pipe_file(uri, data, chunksize=CHUNK_BYTES), lambda: [data], len(data) >= CHUNK_BYTES)


def create(uri: str, data: bytes) -> bool:
    """Write a file unless there is one; True if it holds these bytes now, whoever wrote them."""
    store = filesystem(uri)

    def send() -> object:
        return store.pipe_file(uri, data, chunksize=CHUNK_BYTES, mode="create")

    try:
        _upload(uri, send, lambda: [data], len(data) >= CHUNK_BYTES)
    except FileExistsError:  # perhaps written by this very call, whose first answer was lost
        return read(uri) == data
    return True


def upload(path: str, uri: str) -> None:
    """Copy a local file to the store, whole or not at all."""
    store = filesystem(uri)
    _upload(uri, lambda: store.put_file(path, uri, chunksize=CHUNK_BYTES), lambda: _blocks(path), True)


def remove(uri: str) -> None:
    """Remove a file; raises FileNotFoundError."""
    tried(uri, lambda: filesystem(uri).rm_file(uri))


def remove_tree(uri: str) -> None:
    """Remove all that lies at or below a place; raises FileNotFoundError."""
    tried(uri, lambda: filesystem(uri).rm(uri, recursive=True))


def _info(uri: str) -> Info:
    return dict(filesystem(uri).info(uri))


def _with_scheme(uri: str, paths: Iterable[str]) -> list[str]:
    return [f"{uri.split('://', 1)[0]}://{path}" for path in paths]


def _blocks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(MOST_READ):
            yield block


def _upload(uri: str, send: Callable[[], object], blocks: Callable[[], Iterable[bytes]], in_parts: bool) -> None:
    """Send some bytes, and see that they arrived where that is in doubt.

    Args:
        uri: where they go.
        send: one try at sending them.
        blocks: gives the bytes.
        in_parts: they may go in several requests; else the answer to the one tells what the store holds now.
    """

    def attempt() -> None:
        failure: Exception | None = None
        try:
            answer = send()
        except Exception as error:
            failure = error
        if failure is None and not in_parts:
            if isinstance(answer, dict):
                _Check(answer, blocks()).require()
            return
        try:
            check = _Check(_info(uri), blocks())
        except FileNotFoundError:
            check = None
        if check is not None and check.problem is None and (failure is None or check.has_checksum):
            return
        if isinstance(failure, FileNotFoundError):
            failure = ContradictionError("there is no such bucket, or the store forgot the upload")
        raise failure or ContradictionError("the upload ended without an error, and the file is not there")

    tried(uri, attempt)


_CHECKSUMS: dict[str, Callable[[], Any]] = {"crc32c": google_crc32c.Checksum, "md5Hash": hashlib.md5}


class _Check:
    """Holds bytes against what a store says of them.

    Args:
        found: by `info`.
        blocks: the bytes, or a first part of them.
    """

    def __init__(self, found: Info, blocks: Iterable[bytes] = ()) -> None:
        self._size, self._received = int(found["size"]), 0
        name = next((name for name in _CHECKSUMS if found.get(name)), None)
        self._named = found[name] if name else None
        self._digest = _CHECKSUMS[name]() if name else None
        for block in blocks:
            self.update(block)

    def update(self, block: bytes) -> None:
        self._received += len(block)
        if self._digest is not None:
            self._digest.update(block)

    @property
    def has_checksum(self) -> bool:
        """True if the store names a checksum."""
        return self._digest is not None

    @property
    def problem(self) -> str | None:
        """What does not fit; None if everything does."""
        if self._received != self._size:
            return f"expected {self._size} bytes, received {self._received}"
        if self._digest is not None and base64.b64encode(self._digest.digest()).decode() != self._named:
            return "the bytes are not those of the checksum that the store names"
        return None

    def require(self) -> None:
        if self.problem is not None:
            raise ContradictionError(self.problem)
