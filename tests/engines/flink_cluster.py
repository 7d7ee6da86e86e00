"""A standalone Flink cluster on this machine: a JobManager, two TaskManagers, and Beam's job server, each a process.

python -m tests.engines.flink_cluster FOLDER      starts one and writes FOLDER/engine.yaml; ^C ends it
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.engines.java_cluster import JavaCluster, folder_given, run_until_stopped

TASK_MANAGERS = 2

_OPENED = ("java.base/java.lang", "java.base/java.util", "java.base/java.nio", "java.base/sun.net.util")
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


class FlinkCluster(JavaCluster):
    """A JobManager, TaskManagers and Beam's job server; use it as a context."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "flink", opened=_OPENED, ports=("rpc", "rest"))

    def begin(self) -> None:
        conf = self.folder / "conf"
        conf.mkdir()
        (conf / "config.yaml").write_text(_CONFIG.format(**self.ports))
        self.config.write_text(
            f"job_endpoint: localhost:{self.ports['job']}\nrest: localhost:{self.ports['rest']}\n"
            f"worker_command: {self.worker_program()}\nparallelism: {TASK_MANAGERS}\n"
        )
        self.start_job_manager()
        for number in range(TASK_MANAGERS):
            self.start_task_manager(number)
        self.job_server(
            "org.apache.beam.runners.flink.FlinkJobServerDriver",
            f"--flink-conf-dir={conf}",
            f"--flink-master=localhost:{self.ports['rest']}",
        )
        self.wait_for_task_managers()
        self.wait_for_port("job")

    def start_job_manager(self) -> None:
        main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self.java("job-manager", main, "--configDir", str(self.folder / "conf"))

    def start_task_manager(self, number: int) -> None:
        main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self.java(f"task-manager-{number}", main, "--configDir", str(self.folder / "conf"))

    def wait_for_task_managers(self) -> None:
        self.wait(lambda: bool(self.ask("overview")["taskmanagers"] == TASK_MANAGERS))

    def ask(self, path: str) -> Any:
        """Flink's answer to a question over its REST interface."""
        with urllib.request.urlopen(f"http://localhost:{self.ports['rest']}/{path}", timeout=5) as answer:
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


if __name__ == "__main__":
    run_until_stopped(FlinkCluster(folder_given()))
