"""Make a track's file available for a decoder to open."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import google_crc32c

from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.regular_file import NotAFileError, open_regular_file
from schemas.features import Excerpt
from schemas.storage import object_store
from schemas.storage.files import TEMPORARY_PREFIX, is_remote, local_path, read_range

_BLOCK = 1 << 20  # bytes read at a time
_LISTED_AT_ONCE = 16  # folders of a store listed in parallel
# In these formats the middle is found without reading what comes before; a wrong extension costs only requests.
_SEEKABLE_ENDINGS = (".wav", ".flac", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")


@dataclasses.dataclass(frozen=True)
class RemotePieces:
    """A file in a store, whose pieces are fetched into a sparse local copy as a decoder requests them.

    Attributes:
        uri: URI of the file.
        size: Size of the file in bytes.
        path: Path of the copy.
    """

    uri: str
    size: int
    path: str

    def bring(self, offset: int, length: int) -> dict[str, str]:
        """Fetch these bytes into the copy; returns {}, or a `message` with the reason for a failure."""
        try:
            data = read_range(self.uri, offset, length)
            if len(data) != length:
                return {"message": f"expected {length} bytes at byte {offset}, received {len(data)}"}
            with open(self.path, "r+b") as copy:
                copy.seek(offset)
                copy.write(data)
        except Exception as error:  # each store raises errors of its own; none of them may cost more than this track
            return {"message": _words(error, self.uri)}
        return {}


@dataclasses.dataclass(frozen=True)
class LocalAudio:
    """A track's file, ready for a decoder to open.

    Attributes:
        path: Path on the local disk.
        checksum: Checksum of its bytes: the store's own if it has one, else their CRC32C.
        pieces: Pieces of a sparse copy; None if the whole file is present.
    """

    path: str
    checksum: str
    pieces: RemotePieces | None = None


@contextlib.contextmanager
def local_audio(uri: str, excerpt: str = "full") -> Iterator[LocalAudio]:
    """A local path of an audio file.

    A file in a store is copied to a temporary one; if the excerpt needs only a part of it, only the pieces that a decoder
    requests are copied.

    Args:
        uri: URI of the file.
        excerpt: Part that will be decoded.

    Raises:
        TrackRejected: not_found, not_a_file or io_error.
    """
    with contextlib.ExitStack() as stack:
        try:
            if is_remote(uri):
                audio = _copy_of(
                    uri, stack.enter_context(tempfile.NamedTemporaryFile(prefix=TEMPORARY_PREFIX)), excerpt
                )
            else:
                path = os.path.abspath(local_path(uri))
                audio = LocalAudio(path, source_checksum(path))
        except FileNotFoundError as error:
            raise TrackRejected(Cause.NOT_FOUND, "no such file") from error
        except NotAFileError as error:
            raise TrackRejected(Cause.NOT_A_FILE, str(error)) from error
        except Exception as error:  # see RemotePieces.bring
            raise TrackRejected(Cause.IO_ERROR, _words(error, uri)) from error
        yield audio


def _copy_of(uri: str, copy: Any, excerpt: str) -> LocalAudio:
    info = object_store.info(uri)
    checksum = _store_checksum(info)
    if info["type"] == "directory":
        raise NotAFileError("expected a file, found a folder")
    where = Excerpt.parse(excerpt).where
    in_part = where == "start" or (where == "center" and uri.lower().endswith(_SEEKABLE_ENDINGS))
    if in_part and checksum is not None and info.get("size"):
        copy.truncate(info["size"])
        return LocalAudio(copy.name, checksum, RemotePieces(uri, int(info["size"]), copy.name))
    copied = object_store.download(uri, copy.name, info)
    return LocalAudio(copy.name, _store_checksum(copied) or source_checksum(copy.name))


def _words(error: BaseException, uri: str) -> str:
    return getattr(error, "strerror", None) or decoder_words(error, uri)


def _store_checksum(info: dict[str, Any]) -> str | None:
    for name in ("crc32c", "md5Hash", "ETag"):
        if info.get(name):
            return f"{name.lower()}:{info[name]}"
    return None


def source_checksum(path: str) -> str:
    """The checksum of a local file as `tracks` stores it; raises OSError, also if it is not a regular file.

    It is a CRC32C in the notation of Google Cloud Storage, so that audio that moves there does not count as changed; it costs
    next to nothing compared with decoding.
    """
    checksum = google_crc32c.Checksum()
    with open_regular_file(path) as file:
        while block := file.read(_BLOCK):
            checksum.update(block)
    return f"crc32c:{base64.b64encode(checksum.digest()).decode()}"


def store_checksums(folders: Iterable[str]) -> dict[str, str]:
    """URI -> the store's own checksum, as `tracks` stores it, of every file in some folders of a store."""

    def in_folder(folder: str) -> dict[str, str]:
        scheme = folder.split("://", 1)[0]
        found = {}
        for info in object_store.list_folder(folder):
            if checksum := _store_checksum(info):
                found[f"{scheme}://{info['name'].removeprefix(f'{scheme}://')}"] = checksum
        return found

    with concurrent.futures.ThreadPoolExecutor(_LISTED_AT_ONCE) as readers:
        return {uri: checksum for found in readers.map(in_folder, folders) for uri, checksum in found.items()}
