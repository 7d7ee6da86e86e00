"""A bucket for each test: a real emulator on loopback, a proxy in front of it, and the commands as a user runs them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.buckets.proxy import Proxy, multipart
from tests.warm_commands import WarmCommand, run_warm

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A bucket, accessed directly and not through gcsfs.

    Attributes:
        name: name of the bucket.
        port: port of the emulator.
    """

    name: str
    port: int

    def uri(self, name: str) -> str:
        return f"gs://{self.name}/{name}"

    def put(self, name: str, data: bytes) -> None:
        ask(
            self.port,
            "POST",
            f"/upload/storage/v1/b/{self.name}/o?uploadType=multipart",
            *multipart({"name": name}, data),
        )

    def get(self, name: str) -> bytes:
        return ask(self.port, "GET", f"/download/storage/v1/b/{self.name}/o/{urllib.parse.quote(name, safe='')}")

    def delete(self, name: str) -> None:
        ask(self.port, "DELETE", f"/storage/v1/b/{self.name}/o/{urllib.parse.quote(name, safe='')}")

    def upload(self, folder: Path, prefix: str) -> None:
        """Uploads every file below a folder."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    def infos(self, folder: str) -> dict[str, dict[str, str]]:
        """Name below a folder -> the store's metadata of each object."""
        quoted = urllib.parse.quote(f"{folder}/", safe="")
        items = json.loads(ask(self.port, "GET", f"/storage/v1/b/{self.name}/o?prefix={quoted}")).get("items", [])
        return {item["name"].removeprefix(f"{folder}/"): item for item in items}

    def generations(self, folder: str) -> dict[str, str]:
        """Name below a folder -> a number that changes when the object is written again."""
        return {name: info["generation"] for name, info in self.infos(folder).items()}

    def contents(self, folder: str) -> dict[str, str]:
        """Name below a folder -> SHA-256 of each object, except in `runs/`, whose bytes may differ."""
        return {
            name: hashlib.sha256(self.get(f"{folder}/{name}")).hexdigest()
            for name in self.infos(folder)
            if not name.startswith("runs/")
        }


@dataclasses.dataclass(frozen=True)
class Shell:
    """Runs the commands against a proxy.

    Attributes:
        proxy: the proxy to which gs:// leads.
        folder: working directory of the commands.
    """

    proxy: Proxy
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent / "hasty"))),
            "STORAGE_EMULATOR_HOST": self.proxy.url,
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def start(self, *arguments: object) -> WarmCommand:
        """Starts a command: `train` and `evaluate` from the training stage, any other from the pipeline."""
        words = [*self._stage(*arguments), *arguments]
        return WarmCommand(words, cwd=self.folder, env=self.environment, start_new_session=True)

    def run(self, *arguments: object) -> str:
        """Runs a command, which must succeed; returns its output."""
        ended = run_warm([*self._stage(*arguments), *arguments], cwd=self.folder, env=self.environment, check=True)
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stdout

    def _stage(self, command: object, *_: object) -> list[str]:
        return [str(ROOT / "training" / "run.py")] if command in ("train", "evaluate") else ["-m", "pipeline.run"]


def ended(process: subprocess.Popen[str] | WarmCommand) -> tuple[int, str, str]:
    """Waits for a command to end; returns its exit code, its output and its stderr."""
    printed, words = process.communicate(timeout=300)
    assert "Traceback" not in words, words
    return process.returncode, printed, words


def ask(port: int, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
    """Sends a request to the emulator; returns the body of its response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status < 300, f"{method} {path}: {answer.status} {data[:500]!r}"
        return data


@pytest.fixture(scope="session")
def emulator() -> Iterator[int]:
    """Port of a running emulator of the store, which keeps all objects in memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([*command, "--in-memory", "--quiet"], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    ask(port, "GET", "/")
                    break
                assert process.poll() is None, "the emulator has ended"
                time.sleep(0.1)
            yield port
        finally:
            process.kill()


@pytest.fixture(scope="module")
def bucket(emulator: int, request: pytest.FixtureRequest) -> Bucket:
    """A bucket for this test module; objects from other modules are deleted, since they slow the emulator down."""
    ask(emulator, "GET", "/wipe")
    return new_bucket(emulator, re.sub("[^a-z]", "-", request.module.__name__.rpartition(".")[2]))


def new_bucket(port: int, name: str) -> Bucket:
    """Make a bucket."""
    ask(port, "POST", "/storage/v1/b", json.dumps({"name": name}).encode())
    return Bucket(name, port)


@pytest.fixture
def proxy(emulator: int) -> Iterator[Proxy]:
    """A proxy, at first without faults."""
    with contextlib.closing(Proxy(emulator)) as running:
        yield running


@pytest.fixture
def shell(proxy: Proxy, tmp_path: Path) -> Shell:
    """Runs commands against the proxy."""
    return Shell(proxy, tmp_path)


@pytest.fixture
def store(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """The proxy, to which gs:// URIs lead in this process too."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    return proxy
