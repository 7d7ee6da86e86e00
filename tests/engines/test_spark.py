"""On a real Spark cluster: the bytes of a local run, also after an executor or a worker was killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunPipeline, small_catalog
from tests.engines.conftest import SHARDS, Contents, begun, features, nothing_is_left_over
from tests.engines.jars import EngineMissingError
from tests.engines.java_cluster import workers
from tests.engines.spark_cluster import SparkCluster, executors

pytestmark = [pytest.mark.slow, pytest.mark.engines]

RECOVERY_SECONDS = 120


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    try:
        started = SparkCluster(tmp_path_factory.mktemp("spark"))
    except EngineMissingError as error:
        pytest.skip(str(error))
    with started as cluster:
        yield cluster


def there(cluster: SparkCluster) -> tuple[str, ...]:
    return ("--engine", "spark", "--engine-config", str(cluster.config))


def test_what_it_writes_is_what_this_machine_writes(
    cluster: SparkCluster, catalog: str, here: Path, tmp_path: Path, run_pipeline: RunPipeline, contents: Contents
) -> None:
    for data, options in ((here, ()), (tmp_path / "there", there(cluster))):
        for command in (
            ("build", "--catalog", catalog, "--dataset", data, "--shards", SHARDS, *options),
            ("derive", "--dataset", data, "--n-mels", "48", *options),
            ("verify", "--dataset", data),
        ):
            ended = run_pipeline(*command)
            assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "there") == contents(here)
    assert nothing_is_left_over(tmp_path / "there", run_pipeline)


@pytest.mark.parametrize("killed", [executors, workers])
def test_the_job_recovers_by_itself(
    killed: object, cluster: SparkCluster, catalog: str, here: Path, tmp_path: Path, contents: Contents
) -> None:
    jobs = len(cluster.state()["completedapps"])
    with begun(there(cluster), catalog, tmp_path / "there") as building:
        os.kill(killed()[0], signal.SIGKILL)
        _, words = building.communicate(timeout=RECOVERY_SECONDS)
    assert building.returncode == 0, words
    assert "Traceback" not in words
    cluster.wait(lambda: len(cluster.state()["completedapps"]) == jobs + 1)  # the same job
    assert features(contents(tmp_path / "there")) == features(contents(here))


def test_a_stopped_command_takes_its_job_back(cluster: SparkCluster, tmp_path: Path) -> None:
    long = small_catalog(tmp_path, 300, seconds=4.0)
    with begun(there(cluster), long, tmp_path / "there", shards=150) as building:
        building.send_signal(signal.SIGTERM)
        _, words = building.communicate(timeout=RECOVERY_SECONDS)
    assert building.returncode == 75
    cluster.wait(lambda: not cluster.state()["activeapps"])
    assert "cancelled" in words
