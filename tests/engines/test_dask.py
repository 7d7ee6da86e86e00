"""On a real dask scheduler with two workers: the bytes of a local build, also after a worker was killed."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunPipeline
from tests.engines.conftest import ROOT, SHARDS, Contents, begun
from tests.engines.processes import Processes

pytestmark = pytest.mark.slow

START_SECONDS = 60


class DaskCluster(Processes):
    """A scheduler and two workers of one thread; use it as a context."""

    def begin(self) -> None:
        told = self.folder / "scheduler.json"
        self._dask("scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", told)
        deadline = time.monotonic() + START_SECONDS
        while not told.exists() or not told.read_text().endswith("}"):
            assert self.running["scheduler"].poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self._address = json.loads(told.read_text())["address"]
        self.config.write_text(f"scheduler: {self._address}\n")
        for name in ("first", "second"):
            self.start_worker(name)

    def start_worker(self, name: str) -> None:
        self._dask(name, "dask_worker", self._address, "--nthreads", "1", "--no-nanny", "--name", name)

    def _dask(self, name: str, module: str, *words: object) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *map(str, words), "--no-dashboard"]
        self.start(name, command, {"PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


def there(cluster: DaskCluster) -> tuple[str, ...]:
    return ("--engine", "dask", "--engine-config", str(cluster.config))


def test_the_job_recovers_from_a_killed_worker(
    cluster: DaskCluster, catalog: str, here: Path, tmp_path: Path, contents: Contents
) -> None:
    with begun(there(cluster), catalog, tmp_path / "there") as building:
        cluster.kill("second")
        cluster.start_worker("third")
        _, words = building.communicate(timeout=120)
    assert building.returncode == 0, words
    assert "Traceback" not in words
    assert contents(tmp_path / "there") == contents(here)


def test_a_stopped_command_takes_its_job_back(
    cluster: DaskCluster, catalog: str, here: Path, tmp_path: Path, run_pipeline: RunPipeline, contents: Contents
) -> None:
    with begun(there(cluster), catalog, tmp_path / "there") as building:
        building.send_signal(signal.SIGTERM)
        _, words = building.communicate(timeout=60)
    assert building.returncode == 75
    assert "was cancelled" in words and "Traceback" not in words
    ended = run_pipeline(
        "build", "--catalog", catalog, "--dataset", tmp_path / "there", "--shards", SHARDS, *there(cluster)
    )
    assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "there") == contents(here)


def test_a_dead_scheduler_ends_the_command_in_one_line(catalog: str, tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    with (
        DaskCluster(tmp_path / "dask") as dying,
        begun(there(dying), catalog, tmp_path / "there") as building,
    ):
        dying.kill("scheduler")
        _, words = building.communicate(timeout=120)
    assert building.returncode == 1
    (line,) = [line for line in words.splitlines() if line.startswith("error: ")]
    assert f"of {SHARDS} shards are unfinished; look there for the reason" in line  # dask itself calls it done
    assert "Traceback" not in words
