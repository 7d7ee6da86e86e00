"""Files in a store reached through fsspec, chiefly gs://: a truncated transfer is never taken for a whole file.

Every read and write is checked against the size and the checksum that the store reports, since a response or an upload may
end early without an error. A create whose first response was lost recognizes the file as its own.
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

CHUNK_BYTES = 16 << 20  # a larger upload is sent in several requests, each of which can be retried (16 MiB)
_RANGE_NOT_SATISFIABLE = 416  # HTTP status for a range past the end

Info = dict[str, Any]


def info(uri: str) -> Info:
    """Metadata of a file or folder: `type`, `size` in bytes, and its checksums; raises FileNotFoundError."""
    return tried(uri, lambda: _info(uri))


def list_folder(folder: str) -> list[Info]:
    """Metadata of each direct entry of a folder, as from `info`; empty if there is no such folder."""
    store = filesystem(folder)
    try:
        found = tried(folder, lambda: store.ls(folder, detail=True, refresh=True))
    except FileNotFoundError:
        return []
    own = store._strip_protocol(folder).rstrip("/")
    return [entry for entry in found if entry["name"].rstrip("/") != own]  # an object may represent the folder itself


def files_below(uri: str) -> list[str]:
    """URIs of all files at or below a URI."""
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
    """`length` bytes from `offset`, fewer if the file ends sooner."""

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
    """An open file; a large one is read in pieces. Raises FileNotFoundError."""
    size = int(info(uri)["size"])
    if size <= MOST_READ:
        return io.BytesIO(read(uri))
    return cast(BinaryIO, io.BufferedReader(StoredFile(uri, size, read_range), LEAST_READ))


def download(uri: str, path: str, found: Info | None = None) -> Info:
    """Copy a file to a local path.

    Args:
        uri: URI of the file.
        path: Path of the copy.
        found: Result of `info`, if it is already known.

    Returns:
        Metadata of the file that was copied.

    Raises:
        FileNotFoundError: there is no such file.
    """
    known = found

    def attempt() -> Info:
        nonlocal known
        copied, known = known or _info(uri), None  # if this attempt fails, the file may have changed since
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
    """Pass all bytes of a file to `take`, block by block; raises ContradictionError if size or checksum does not match."""
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
    """Write a file unless it exists; True if it now holds these bytes, regardless of which process wrote them."""
    store = filesystem(uri)

    def send() -> object:
        return store.pipe_file(uri, data, chunksize=CHUNK_BYTES, mode="create")

    try:
        _upload(uri, send, lambda: [data], len(data) >= CHUNK_BYTES)
    except FileExistsError:  # perhaps written by this very call, whose first response was lost
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
    """Remove everything at or below a URI; raises FileNotFoundError."""
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
    """Send bytes, and verify that they arrived if that is in doubt.

    Args:
        uri: URI of the destination.
        send: Makes one attempt to send them.
        blocks: Returns the bytes in blocks.
        in_parts: True if they may be sent in several requests; else the response to the single one describes the stored file.
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
    """Compares bytes with the size and checksum that a store reports.

    Args:
        found: Result of `info`.
        blocks: The bytes, or a first part of them.
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
        """True if the store reports a checksum."""
        return self._digest is not None

    @property
    def problem(self) -> str | None:
        """What does not match; None if everything does."""
        if self._received != self._size:
            return f"expected {self._size} bytes, received {self._received}"
        if self._digest is not None and base64.b64encode(self._digest.digest()).decode() != self._named:
            return "the bytes do not match the checksum that the store reports"
        return None

    def require(self) -> None:
        if self.problem is not None:
            raise ContradictionError(self.problem)
