"""Bring a track's file to where a decoder can open it."""

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
_LISTED_AT_ONCE = 16  # folders of a store
# In these the middle is found without reading what comes before; an ending that lies costs requests and no more.
_SEEKABLE_ENDINGS = (".wav", ".flac", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")


@dataclasses.dataclass(frozen=True)
class RemotePieces:
    """A file in a store, whose pieces are brought to a sparse local copy as a decoder asks for them.

    Attributes:
        uri: of the file.
        size: bytes.
        path: of the copy.
    """

    uri: str
    size: int
    path: str

    def bring(self, offset: int, length: int) -> dict[str, str]:
        """Have these bytes in the copy: {} when they are, or a `message` that says why they are not."""
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
    """A track's file where a decoder can open it.

    Attributes:
        path: on the local disk.
        checksum: of its bytes: the store's own where it has one, or their CRC32C.
        pieces: None where the whole file is there.
    """

    path: str
    checksum: str
    pieces: RemotePieces | None = None


@contextlib.contextmanager
def local_audio(uri: str, excerpt: str = "full") -> Iterator[LocalAudio]:
    """A local path of an audio file.

    A file in a store is copied to a temporary one; where the excerpt needs but a part of it, only the pieces that a
    decoder asks for.

    Args:
        uri: of the file.
        excerpt: which part will be decoded.

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
    """What `tracks` holds as the checksum of a local file; raises OSError, also where it is not a regular file.

    Its CRC32C, written as Google Cloud Storage writes it: audio that moves there is not taken for changed, and the sum
    costs next to nothing beside decoding.
    """
    checksum = google_crc32c.Checksum()
    with open_regular_file(path) as file:
        while block := file.read(_BLOCK):
            checksum.update(block)
    return f"crc32c:{base64.b64encode(checksum.digest()).decode()}"


def store_checksums(folders: Iterable[str]) -> dict[str, str]:
    """URI -> the store's own checksum of every file in some folders of a store, as `tracks` holds them."""

    def in_folder(folder: str) -> dict[str, str]:
        scheme = folder.split("://", 1)[0]
        found = {}
        for info in object_store.list_folder(folder):
            if checksum := _store_checksum(info):
                found[f"{scheme}://{info['name'].removeprefix(f'{scheme}://')}"] = checksum
        return found

    with concurrent.futures.ThreadPoolExecutor(_LISTED_AT_ONCE) as readers:
        return {uri: checksum for found in readers.map(in_folder, folders) for uri, checksum in found.items()}
