"""Files by path or URI: local folders and, through `schemas.storage.object_store`, gs:// and the other stores of fsspec.

Three guarantees hold everywhere: a file appears whole or not at all (`write_atomic`, `publish`), `write_if_absent` never
replaces what another process wrote first, and no answer comes from a cache.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import logging
import os
import posixpath
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from typing import IO, BinaryIO

from schemas.console.errors import UserError
from schemas.storage import object_store

_log = logging.getLogger(__name__)

TEMPORARY_PREFIX = ".tmp-"  # a killed process may leave such files behind; readers ignore them
_BLOCK = 1 << 20  # bytes read at a time when hashing
_FILE_URI = re.compile(r"file:(?://([^/]*))?(/.*)?", re.IGNORECASE | re.DOTALL)  # RFC 8089: host and path


def is_remote(uri: str) -> bool:
    """True for `scheme://…` other than file://."""
    return "://" in uri and not _is_file_uri(uri)


def _is_file_uri(uri: str) -> bool:
    return uri[:6].lower() == "file:/"


def absolute(uri: str) -> str:
    """The URI in a form that means the same from any working directory."""
    return uri if is_remote(uri) else os.path.abspath(local_path(uri))


def local_path(uri: str) -> str:
    """The path of a local URI; a plain path is returned unchanged, including any %.

    A file:// URI may be percent-encoded, as in `file:///so%20ng.wav` (RFC 8089).

    Raises:
        UserError: a file:// URI names another machine.
    """
    parts = _FILE_URI.fullmatch(uri) if _is_file_uri(uri) else None
    if parts is None:
        return uri
    host, path = parts[1] or "", parts[2] or ""
    if host and (host.lower() != "localhost" or not path):
        raise UserError(
            f"{uri}: expected a file of this machine, as file:///folder/name, received one of the host {host!r}; "
            "give a path where it is mounted, or the URI of a store"
        )
    return os.fsdecode(urllib.parse.unquote_to_bytes(os.fsencode(path)))


def join(base: str, *parts: str) -> str:
    """`base` and `parts` as one path or URI; an absolute last part wins, as with os.path.join."""
    for part in parts:
        if "://" in part or part.startswith("/") or _is_file_uri(part):
            base = part
        elif part:
            # The base becomes a plain path first: in a file:// URI a % in the part would be decoded.
            base = posixpath.join(base if is_remote(base) else local_path(base), part)
    return base


def parent(uri: str) -> str:
    """The folder that holds `uri`."""
    if is_remote(uri):
        return uri.rsplit("/", 1)[0]
    return os.path.dirname(os.path.abspath(local_path(uri)))


def exists(uri: str) -> bool:
    return _remote_type(uri) is not None if is_remote(uri) else os.path.exists(local_path(uri))


def is_folder(uri: str) -> bool:
    return _remote_type(uri) == "directory" if is_remote(uri) else os.path.isdir(local_path(uri))


def _remote_type(uri: str) -> str | None:
    """`file` or `directory`; None if the store has neither. Raises if the store gives no answer."""
    try:
        return str(object_store.info(uri)["type"])
    except FileNotFoundError:
        return None


def size(uri: str) -> int:
    """Size of a file in bytes; raises FileNotFoundError."""
    return int(object_store.info(uri)["size"]) if is_remote(uri) else os.path.getsize(local_path(uri))


def list_names(folder: str) -> list[str]:
    """Names in a folder, sorted, without temporary files; empty if there is no such folder."""
    if is_remote(folder):
        names = [posixpath.basename(entry["name"].rstrip("/")) for entry in object_store.list_folder(folder)]
    else:
        try:
            names = os.listdir(local_path(folder))
        except FileNotFoundError:
            names = []
    return sorted(name for name in names if name and not name.startswith(TEMPORARY_PREFIX))


def modification_times(folder: str) -> dict[str, float]:
    """Name -> when it was last written, in seconds since 1970, of the files in a folder without temporary ones."""
    if is_remote(folder):
        entries = object_store.list_folder(folder)
        times = {posixpath.basename(entry["name"]): entry["mtime"].timestamp() for entry in entries if "mtime" in entry}
    else:
        try:
            with os.scandir(local_path(folder)) as files:
                times = {file.name: file.stat().st_mtime for file in files if file.is_file()}
        except FileNotFoundError:
            times = {}
    return {name: times[name] for name in sorted(times) if not name.startswith(TEMPORARY_PREFIX)}


def matching(pattern: str) -> list[str]:
    """Files and folders that a glob matches, sorted."""
    return sorted(object_store.matching(pattern) if is_remote(pattern) else glob.glob(local_path(pattern)))


def open_read(uri: str) -> BinaryIO:
    """An open binary file; raises FileNotFoundError."""
    _log.debug("open %s", uri)
    return object_store.open_read(uri) if is_remote(uri) else open(local_path(uri), "rb")


def read_bytes(uri: str) -> bytes:
    """A whole file; raises FileNotFoundError."""
    _log.debug("read %s", uri)
    if is_remote(uri):
        return object_store.read(uri)
    with open(local_path(uri), "rb") as file:
        return file.read()


def read_range(uri: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`, fewer if the file ends sooner."""
    if is_remote(uri):
        return object_store.read_range(uri, offset, length)
    path = local_path(uri)
    # Keyed by inode too, so that a file replaced under its name is opened again. The variable `reader` keeps the file
    # open while it is read, even when another thread's call evicts it from the cache.
    reader = _local_reader(path, os.stat(path).st_ino)
    return os.pread(reader.fileno(), length, offset)


@functools.lru_cache(maxsize=256)
def _local_reader(path: str, _inode: int) -> IO[bytes]:
    return open(path, "rb", buffering=0)


def make_folder(uri: str) -> None:
    if not is_remote(uri):
        os.makedirs(local_path(uri), exist_ok=True)


def remove(uri: str) -> None:
    """Remove a file; a missing file is no error."""
    with contextlib.suppress(FileNotFoundError):
        if is_remote(uri):
            object_store.remove(uri)
        else:
            os.remove(local_path(uri))


def files_below(uri: str, *, temporary: bool = False) -> list[str]:
    """All files at or below a path, sorted: the finished ones, or the temporary ones that killed processes left behind."""
    if is_remote(uri):
        found = object_store.files_below(uri)
    elif os.path.isfile(local_path(uri)):
        found = [uri]
    else:
        found = [os.path.join(folder, name) for folder, _, names in os.walk(local_path(uri)) for name in names]
    return sorted(path for path in found if posixpath.basename(path).startswith(TEMPORARY_PREFIX) == temporary)


def remove_tree(uri: str) -> None:
    """Remove a file, or a folder with its contents; a missing one is no error."""
    if is_remote(uri):
        with contextlib.suppress(FileNotFoundError):
            object_store.remove_tree(uri)
    elif os.path.isdir(local_path(uri)):
        shutil.rmtree(local_path(uri))
    else:
        remove(uri)


def remove_temporaries(folder: str) -> None:
    """Remove temporary files that killed processes left in a local folder; uploads to a store leave none."""
    if not is_remote(folder):
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(local_path(folder)):
                if name.startswith(TEMPORARY_PREFIX):
                    remove(join(folder, name))


def remove_empty_folder(uri: str) -> None:
    """Remove a local folder if it is empty; a bucket has no folders to remove."""
    if not is_remote(uri):
        with contextlib.suppress(OSError):
            os.rmdir(local_path(uri))


def write_atomic(uri: str, data: bytes) -> None:
    """Write a file so that readers see either the old bytes or the new ones, never a part."""
    _log.debug("write %s (%d bytes)", uri, len(data))
    if is_remote(uri):
        object_store.write(uri, data)
        return
    with _temporary_beside(uri) as path:
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, local_path(uri))


def write_if_absent(uri: str, data: bytes) -> bool:
    """Write a file unless it already exists; True if it now holds these bytes, regardless of which process wrote them."""
    if is_remote(uri):
        return object_store.create(uri, data)
    with _temporary_beside(uri) as path:
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(path, local_path(uri))
        except FileExistsError:
            return read_bytes(uri) == data
    return True


@contextlib.contextmanager
def spool(uri: str) -> Iterator[str]:
    """A local path at which to write a large file before `publish` moves it to `uri`; removed on exit."""
    if is_remote(uri):
        handle, path = tempfile.mkstemp(prefix=TEMPORARY_PREFIX)
        os.close(handle)
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
    else:
        with _temporary_beside(uri) as path:
            yield path


def publish(path: str, uri: str) -> None:
    """Move a spooled file to its final name atomically."""
    _log.debug("write %s", uri)
    if is_remote(uri):
        object_store.upload(path, uri)
        return
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    os.replace(path, local_path(uri))


def download(uri: str, path: str) -> None:
    """Copy a file to a local path; raises FileNotFoundError."""
    if is_remote(uri):
        object_store.download(uri, path)
    else:
        shutil.copyfile(local_path(uri), path)


def sha256_of(uri: str) -> str:
    """SHA-256 of a file, hex; raises FileNotFoundError."""
    if is_remote(uri):
        return object_store.sha256(uri)
    digest = hashlib.sha256()
    with open(local_path(uri), "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _temporary_beside(uri: str) -> Iterator[str]:
    folder = parent(uri)
    os.makedirs(folder, exist_ok=True)
    handle, path = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=folder)
    os.close(handle)
    os.chmod(path, 0o644)  # mkstemp's default mode would hide the file from the rest of the team
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
