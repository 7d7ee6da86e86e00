"""Copies of a dataset's payloads on a local disk, made while training already uses those that are there.

The name of a copy contains its SHA-256, and it appears there whole and checked. So a folder may serve several
processes, runs and datasets, at once and one after the other; nothing is ever removed from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import shutil
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from schemas.console.errors import DatasetError, UserError
from schemas.console.terminal import say
from schemas.manifests import ShardManifest
from schemas.storage.files import TEMPORARY_PREFIX, download, is_remote, local_path, sha256_of

COPIES = 4  # copies made side by side

Payload = tuple[str, ShardManifest]  # URI and done mark of a payload


def open_stage(folder: str | None) -> contextlib.AbstractContextManager[Stage | None]:
    """A stage in a folder, or None; see `Stage`."""
    return contextlib.nullcontext() if folder is None else Stage(folder)


class Stage:
    """A folder of copies.

    Args:
        folder: folder on a local disk, which is created if it does not exist.

    Raises:
        UserError: the folder is not local, or cannot be created.
    """

    def __init__(self, folder: str) -> None:
        if is_remote(folder):
            raise UserError(f"--stage {folder}: expected a folder on a local disk")
        self._folder = os.path.abspath(local_path(folder))
        try:
            os.makedirs(self._folder, exist_ok=True)
        except OSError as error:
            raise UserError(f"--stage {folder}: cannot be made: {error.strerror}; name another folder") from error
        self._wanted: dict[str, ShardManifest] = {}
        self._queue: queue.SimpleQueue[tuple[Payload, bool] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Start no further copies."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        for _thread in self._threads:
            self._queue.put(None)

    def begin(self, payloads: Iterable[Payload]) -> None:
        """Copy the payloads that are not there yet, in this order, after those that were requested before.

        Raises:
            UserError: the disk has no room for them.
        """
        new = [payload for payload in dict.fromkeys(payloads) if payload[0] not in self._wanted]
        self._wanted.update(new)
        missing = [mark for mark in self._wanted.values() if not self._has(mark)]
        needed, free = sum(mark.bytes for mark in missing), shutil.disk_usage(self._folder).free
        if needed > free:
            raise UserError(
                f"--stage {self._folder}: expected room for {len(missing)} payloads ({needed / 1e9:.3f} GB), "
                f"{free / 1e9:.3f} GB are free; name another disk, or leave --stage out"
            )
        to_copy = [payload for payload in new if not self._has(payload[1])]
        if to_copy:
            say(f"{self._folder}: {len(to_copy)} of {len(new)} payloads are being copied there", file=sys.stderr)
        for payload in to_copy:
            self._queue.put((payload, False))
        while len(self._threads) < min(COPIES, len(to_copy)):
            # Daemons: a command that ends does not wait for copies that nobody will read.
            self._threads.append(threading.Thread(target=self._copy_all, daemon=True))
            self._threads[-1].start()

    def place_of(self, uri: str) -> str:
        """The place to read a payload from now: its copy, or `uri` while there is none.

        Raises:
            DatasetError: a payload's bytes do not match its done mark.
            OSError: copying failed.
        """
        if self._failure is not None:
            raise self._failure
        mark = self._wanted.get(uri)
        return self._path(mark) if mark is not None and self._has(mark) else uri

    def _path(self, mark: ShardManifest) -> str:
        return os.path.join(self._folder, f"{mark.sha256}.tfrecord")

    def _has(self, mark: ShardManifest) -> bool:
        """Whether the copy exists, also if another process made it meanwhile."""
        try:
            return os.path.getsize(self._path(mark)) == mark.bytes
        except FileNotFoundError:
            return False

    def _copy_all(self) -> None:
        while (work := self._queue.get()) is not None:
            payload, patiently = work
            try:
                if not self._copy(payload, patiently):
                    self._queue.put((payload, True))  # another process is copying it: the other payloads come first
            except Exception as error:  # raised when the payload is read
                self._failure = self._failure or error
                return

    def _copy(self, payload: Payload, patiently: bool) -> bool:
        """Copy a payload unless another process has done so; False if one is doing so now and there is other work."""
        uri, mark = payload
        temporary = os.path.join(self._folder, f"{TEMPORARY_PREFIX}{mark.sha256}")
        while not self._has(mark):
            # The copying process holds a lock, which the kernel releases if it is killed; the next process starts again.
            # Another user of a shared folder may have made the file: no link is followed that would overwrite a file.
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if patiently else fcntl.LOCK_NB))
                if self._has(mark):
                    with contextlib.suppress(FileNotFoundError):  # created again since the copy took its name
                        os.remove(temporary)
                elif _is_same(descriptor, temporary):
                    download(uri, temporary)
                    if sha256_of(temporary) != mark.sha256:
                        raise DatasetError(f"{uri}: its bytes do not match its done mark (the SHA-256 differs)")
                    os.fsync(descriptor)
                    os.replace(temporary, self._path(mark))
            except BlockingIOError:
                return False
            finally:
                os.close(descriptor)
        return True


def _is_same(descriptor: int, path: str) -> bool:
    """True if a path still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
