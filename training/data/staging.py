"""Copies of a dataset's payloads on a local disk, made while training already goes on with those that are there.

A copy lies under a name that carries its SHA-256, and appears there whole and checked. So a folder may serve several
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

COPIES = 4  # made side by side

Payload = tuple[str, ShardManifest]  # its URI and its done mark


def open_stage(folder: str | None) -> contextlib.AbstractContextManager[Stage | None]:
    """A stage in a folder, or none; see `Stage`."""
    return contextlib.nullcontext() if folder is None else Stage(folder)


class Stage:
    """A folder of copies.

    Args:
        folder: on a local disk; made where it is not there.

    Raises:
        UserError: it is not local, or cannot be written in.
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
        """Begin no further copy."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        for _thread in self._threads:
            self._queue.put(None)

    def begin(self, payloads: Iterable[Payload]) -> None:
        """Copy the payloads that are not there yet, in this order, behind those that were asked for before.

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
            say(f"{self._folder}: {len(to_copy)} of {len(new)} payloads are copied there meanwhile", file=sys.stderr)
        for payload in to_copy:
            self._queue.put((payload, False))
        while len(self._threads) < min(COPIES, len(to_copy)):
            # Daemons: a command that ends does not wait for what nobody will read.
            self._threads.append(threading.Thread(target=self._copy_all, daemon=True))
            self._threads[-1].start()

    def place_of(self, uri: str) -> str:
        """Where a payload is read now: at its copy, or at `uri` while there is none.

        Raises:
            DatasetError: a payload's bytes are not those of its done mark.
            OSError: the copying failed.
        """
        if self._failure is not None:
            raise self._failure
        mark = self._wanted.get(uri)
        return self._path(mark) if mark is not None and self._has(mark) else uri

    def _path(self, mark: ShardManifest) -> str:
        return os.path.join(self._folder, f"{mark.sha256}.tfrecord")

    def _has(self, mark: ShardManifest) -> bool:
        """Also what another process brought there meanwhile."""
        try:
            return os.path.getsize(self._path(mark)) == mark.bytes
        except FileNotFoundError:
            return False

    def _copy_all(self) -> None:
        while (work := self._queue.get()) is not None:
            payload, patiently = work
            try:
                if not self._copy(payload, patiently):
                    self._queue.put((payload, True))  # another process is at it: the others come first
            except Exception as error:  # raised where the payload is read
                self._failure = self._failure or error
                return

    def _copy(self, payload: Payload, patiently: bool) -> bool:
        """Copy a payload, unless another process has done so; False where one is about to, and there is other work."""
        uri, mark = payload
        temporary = os.path.join(self._folder, f"{TEMPORARY_PREFIX}{mark.sha256}")
        while not self._has(mark):
            # Who copies holds its file; the kernel lets go of it when that process is killed, and the next begins anew.
            # Another user of a shared folder may have made it: no link is followed to a file that would be written over.
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if patiently else fcntl.LOCK_NB))
                if self._has(mark):
                    with contextlib.suppress(FileNotFoundError):  # made anew since the copy took its name
                        os.remove(temporary)
                elif _is_same(descriptor, temporary):
                    download(uri, temporary)
                    if sha256_of(temporary) != mark.sha256:
                        raise DatasetError(f"{uri}: its bytes are not those of its done mark (the SHA-256 differs)")
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
