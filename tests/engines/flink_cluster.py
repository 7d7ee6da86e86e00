"""A standalone Flink cluster on this machine: a JobManager, two TaskManagers, and Beam's job server, each a process.

python -m tests.engines.flink_cluster FOLDER      starts one and writes FOLDER/engine.yaml; ^C ends it
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.engines.jars import classpath
from tests.engines.processes import Processes

ROOT = Path(__file__).parents[2]
START_SECONDS = 90
TASK_MANAGERS = 2

_JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",  # and one compiler: a process of a test does not live long enough for more
    "-XX:TieredStopAtLevel=1",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
)
# A killed TaskManager is noticed within five seconds, and its tasks are started again: Flink's default starts none.
_CONFIG = """
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
rest.port: {rest}
rest.address: localhost
jobmanager.memory.process.size: 1g
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1
taskmanager.memory.task.heap.size: 256m
taskmanager.memory.task.off-heap.size: 64m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.managed.size: 128m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
classloader.resolve-order: parent-first
rest.retry.max-attempts: 5
rest.retry.delay: 1000
heartbeat.timeout: 5000
heartbeat.interval: 1000
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 5
restart-strategy.fixed-delay.delay: 1s
"""


class FlinkCluster(Processes):
    """A JobManager, TaskManagers and Beam's job server; use it as a context."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._classpath = classpath("flink")
        self._ports = dict(zip(("rpc", "rest", "job", "artifact", "expansion"), _free_ports(5), strict=True))

    def __enter__(self) -> Self:
        conf, worker = self.folder / "conf", self.folder / "worker"
        conf.mkdir()
        (conf / "config.yaml").write_text(_CONFIG.format(**self._ports))
        # On a machine of a cluster this is the installed tagscale-worker.
        worker.write_text(
            f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{sys.executable}" -m pipeline.jobs.sdk_worker "$@"\n'
        )
        worker.chmod(0o755)
        self.config.write_text(
            f"job_endpoint: localhost:{self._ports['job']}\nrest: localhost:{self._ports['rest']}\n"
            f"worker_command: {worker}\nparallelism: {TASK_MANAGERS}\n"
        )
        try:
            self.start_job_manager()
            for number in range(TASK_MANAGERS):
                self.start_task_manager(number)
            self._java(
                "job-server",
                "org.apache.beam.runners.flink.FlinkJobServerDriver",
                f"--flink-conf-dir={self.folder / 'conf'}",
                f"--flink-master=localhost:{self._ports['rest']}",
                "--job-host=localhost",
                f"--job-port={self._ports['job']}",
                f"--artifact-port={self._ports['artifact']}",
                f"--expansion-port={self._ports['expansion']}",
                f"--artifacts-dir={self.folder / 'staging'}",
            )
            self._wait(lambda: self.ask("overview")["taskmanagers"] == TASK_MANAGERS)
            self._wait(
                lambda: bool(socket.create_connection(("localhost", self._ports["job"]), timeout=1).close() or True)
            )
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def start_job_manager(self) -> None:
        main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._java("job-manager", main, "--configDir", str(self.folder / "conf"))

    def start_task_manager(self, number: int) -> None:
        main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self._java(f"task-manager-{number}", main, "--configDir", str(self.folder / "conf"))

    def wait_for_task_managers(self) -> None:
        self._wait(lambda: self.ask("overview")["taskmanagers"] == TASK_MANAGERS)

    def ask(self, path: str) -> Any:
        """Flink's answer to a question over its REST interface."""
        with urllib.request.urlopen(f"http://localhost:{self._ports['rest']}/{path}", timeout=5) as answer:
            return json.load(answer)

    def states(self) -> list[str]:
        """States of the jobs, the oldest first."""
        return [job["state"] for job in sorted(self.ask("jobs/overview")["jobs"], key=lambda job: job["start-time"])]

    def shards_of_workers(self) -> list[int]:
        """Number of shards that each worker of the first job got, as Flink counted them."""
        first = min(self.ask("jobs/overview")["jobs"], key=lambda job: job["start-time"])["jid"]
        (writing,) = [one for one in self.ask(f"jobs/{first}")["vertices"] if "WriteShard)" in one["name"]]
        tasks = self.ask(f"jobs/{first}/vertices/{writing['id']}")["subtasks"]
        return [task["metrics"]["read-records"] for task in tasks]

    def _java(self, name: str, main: str, *words: str) -> None:
        command = ["java", *_JAVA_OPTIONS, "-cp", self._classpath, main, *words]
        self.start(name, command)

    def _wait(self, is_there: Any) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                if is_there():
                    return
            gone = [name for name, process in self.running.items() if process.poll() is not None]
            if gone or time.monotonic() > deadline:
                raise RuntimeError(f"the Flink cluster did not start: ended {gone}; see {self.folder}")
            time.sleep(0.2)


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


def main() -> None:
    """Run a cluster until ^C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    (folder,) = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    with FlinkCluster(folder) as cluster, _interruptible():
        print(f"--engine flink --engine-config {cluster.config}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
