"""A standalone Spark cluster on this machine: a master, two workers, and Beam's job server, each a process.

python -m tests.engines.spark_cluster FOLDER      starts one and writes FOLDER/engine.yaml; ^C ends it
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

from tests.engines.java_cluster import JavaCluster, folder_given, run_until_stopped, running

WORKERS = 2

_SMALL = ("-Xmx256m",)

_OPENED = tuple(
    f"java.base/{package}"
    for package in (
        "java.lang",
        "java.lang.invoke",
        "java.util",
        "java.util.concurrent",
        "java.nio",
        "java.net",
        "java.io",
        "sun.nio.ch",
        "sun.nio.cs",
        "sun.security.action",
        "sun.util.calendar",
    )
)


class SparkCluster(JavaCluster):
    """A master, workers of one core each, and Beam's job server, which starts an executor on each worker for a job."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "spark", opened=_OPENED, ports=("master", "page"))

    def begin(self) -> None:
        home = self.folder / "home"
        (home / "jars").mkdir(parents=True)  # where workers look for what they start executors from
        for jar in map(Path, self.classpath.split(os.pathsep)):
            (home / "jars" / jar.name).symlink_to(jar)
        (home / "RELEASE").touch()
        self.variables = {
            "SPARK_HOME": str(home),
            "SPARK_SCALA_VERSION": "2.12",
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        self.config.write_text(
            f"job_endpoint: localhost:{self.ports['job']}\nworker_command: {self.worker_program()}\n"
        )
        address = f"spark://127.0.0.1:{self.ports['master']}"
        master = ("--host", "127.0.0.1", "--port", str(self.ports["master"]), "--webui-port", str(self.ports["page"]))
        self.java("master", "org.apache.spark.deploy.master.Master", *master, options=_SMALL)
        self.wait_for_port("master")
        for number in range(WORKERS):
            words = ("-c", "1", "-m", "1g", "--host", "127.0.0.1", "--webui-port", "0", "-d", str(self.folder / "work"))
            self.java(f"worker-{number}", "org.apache.spark.deploy.worker.Worker", *words, address, options=_SMALL)
        self.job_server(
            "org.apache.beam.runners.spark.SparkJobServerDriver",
            f"--spark-master-url={address}",
            options=(
                "-Xmx1g",
                "-Dspark.executor.memory=512m",
                "-Dspark.executor.cores=1",
                "-Dspark.driver.host=127.0.0.1",
                "-Dspark.ui.enabled=false",
            ),
        )
        self.wait(lambda: len(self.state()["workers"]) == WORKERS)
        self.wait_for_port("job")

    def state(self) -> dict[str, Any]:
        """The master's own account of its workers and jobs."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['page']}/json/", timeout=5) as answer:
            state: dict[str, Any] = json.load(answer)
        return state


def executors() -> list[int]:
    """The processes in which Spark's workers run the tasks of a job."""
    return running("org.apache.spark.executor.CoarseGrainedExecutorBackend")


if __name__ == "__main__":
    run_until_stopped(SparkCluster(folder_given()))
