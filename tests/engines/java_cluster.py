"""A cluster of Java processes out of an engine's jars, with Beam's job server before it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.engines.jars import classpath
from tests.engines.processes import Processes

ROOT = Path(__file__).parents[2]
START_SECONDS = 90

_JAVA_OPTIONS = (
    "-XX:+UseSerialGC",  # and one compiler: a process of a test does not live long enough for more
    "-XX:TieredStopAtLevel=1",
)


class JavaCluster(Processes):
    """A cluster; use it as a context.

    Args:
        folder: Empty folder for its files and logs.
        engine: Whose jars it is made of.
        opened: Packages of Java's modules that the engine reaches into.
        ports: Names of the ports that it needs.

    Attributes:
        ports: Name -> port; job, artifact and expansion are those of the job server.
    """

    def __init__(self, folder: Path, engine: str, *, opened: Sequence[str], ports: Sequence[str]) -> None:
        super().__init__(folder)
        self.engine = engine
        self.classpath = classpath(engine)
        self.ports = dict(zip(("job", "artifact", "expansion", *ports), _free_ports(3 + len(ports)), strict=True))
        self.variables: dict[str, str] = {}  # of the processes' environment
        self._options = (*_JAVA_OPTIONS, *(f"--add-opens={package}=ALL-UNNAMED" for package in opened))

    def worker_program(self) -> Path:
        """The program that starts a worker of Beam; on a machine of a cluster this is the installed tagscale-worker."""
        worker = self.folder / "worker"
        worker.write_text(
            f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{sys.executable}" -m pipeline.jobs.sdk_worker "$@"\n'
        )
        worker.chmod(0o755)
        return worker

    def java(self, name: str, main: str, *words: str, options: Sequence[str] = ("-Xmx512m",)) -> None:
        """Start a process of the engine."""
        self.start(name, ["java", *options, *self._options, "-cp", self.classpath, main, *words], self.variables)

    def job_server(self, main: str, *words: str, options: Sequence[str] = ("-Xmx512m",)) -> None:
        """Start Beam's job server."""
        self.java(
            "job-server",
            main,
            *words,
            "--job-host=localhost",
            f"--job-port={self.ports['job']}",
            f"--artifact-port={self.ports['artifact']}",
            f"--expansion-port={self.ports['expansion']}",
            f"--artifacts-dir={self.folder / 'staging'}",
            options=options,
        )

    def wait_for_port(self, name: str) -> None:
        self.wait(lambda: socket.create_connection(("localhost", self.ports[name]), timeout=1).close() is None)

    def wait(self, is_there: Callable[[], bool]) -> None:
        """Wait until something is there; while it is not, asking for it may raise OSError."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                if is_there():
                    return
            gone = [name for name, process in self.running.items() if process.poll() is not None]
            if gone or time.monotonic() > deadline:
                raise RuntimeError(f"the {self.engine} cluster did not start: ended {gone}; see {self.folder}")
            time.sleep(0.2)


def workers() -> list[int]:
    """Beam's workers that a cluster of this machine started."""
    return running("pipeline.jobs.sdk_worker")


def running(word: str) -> list[int]:
    """The processes of this machine that were started with a word."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
            if word.encode() in words:
                found.append(int(process.name))
    return found


def run_until_stopped(cluster: JavaCluster) -> None:
    """Run a cluster until ^C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with cluster, _interruptible():
        print(f"--engine {cluster.engine} --engine-config {cluster.config}", flush=True)
        signal.pause()


def folder_given() -> Path:
    """The folder that the command line names, made."""
    (folder,) = map(Path, sys.argv[1:])
    os.makedirs(folder, exist_ok=True)
    return folder.resolve()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in listening:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in listening]


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    with contextlib.suppress(KeyboardInterrupt):
        yield
