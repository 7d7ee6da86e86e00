"""Bring a track's file to where a decoder can open it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from schemas.storage import TEMPORARY_PREFIX, download, filesystem, is_remote, local_path

_BLOCK = 1 << 20  # bytes read at a time


@contextlib.contextmanager
def local_audio(uri: str) -> Iterator[tuple[str, str]]:
    """A local path of an audio file and the checksum of its bytes.

    A file in a bucket is copied to a temporary one and its checksum is the store's own; that of a local file is its
    SHA-256.

    Raises:
        TrackRejected: not_found or io_error.
    """
    with contextlib.ExitStack() as stack:
        try:
            if is_remote(uri):
                path = stack.enter_context(tempfile.NamedTemporaryFile(prefix=TEMPORARY_PREFIX)).name
                download(uri, path)
                checksum = _store_checksum(filesystem(uri).info(uri)) or _sha256(path)
            else:
                path = os.path.abspath(local_path(uri))
                checksum = _sha256(path)
        except FileNotFoundError as error:
            raise TrackRejected(Cause.NOT_FOUND, "no such file") from error
        except Exception as error:  # each store raises errors of its own; none of them may cost more than this track
            words = getattr(error, "strerror", None) or decoder_words(error, uri)
            raise TrackRejected(Cause.IO_ERROR, words) from error
        yield path, checksum


def _store_checksum(info: dict[str, Any]) -> str | None:
    for name in ("md5Hash", "crc32c", "ETag"):
        if info.get(name):
            return f"{name.lower()}:{info[name]}"
    return None


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"
