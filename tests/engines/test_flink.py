"""On a real Flink cluster: the bytes of a local run, also after a TaskManager, a worker or the JobManager was killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.features import LogMelSpec, WaveformSpec
from schemas.plan_file import PlanReader
from tests.conftest import RunPipeline, small_catalog
from tests.engines.conftest import SHARDS, TRACKS, Contents, begun, features, nothing_is_left_over
from tests.engines.flink_cluster import FlinkCluster
from tests.engines.jars import EngineMissingError
from tests.engines.java_cluster import workers
from tests.pipeline.tagging.conftest import write_model

pytestmark = [pytest.mark.slow, pytest.mark.engines]

RECOVERY_SECONDS = 120


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    try:
        started = FlinkCluster(tmp_path_factory.mktemp("flink"))
    except EngineMissingError as error:
        pytest.skip(str(error))
    with started as cluster:
        yield cluster


@pytest.fixture(scope="module")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = LogMelSpec(WaveformSpec("full"))
    return write_model(tmp_path_factory.mktemp("model") / "onnx", spec, form="onnx")


def there(cluster: FlinkCluster) -> tuple[str, ...]:
    return ("--engine", "flink", "--engine-config", str(cluster.config))


def test_what_it_writes_is_what_this_machine_writes(
    cluster: FlinkCluster,
    catalog: str,
    here: Path,
    onnx_model: Path,
    tmp_path: Path,
    run_pipeline: RunPipeline,
    contents: Contents,
) -> None:
    annotations, label_set = tmp_path / "annotations.csv", tmp_path / "tags.yaml"
    annotations.write_text(
        "track_id,tag\n" + "".join(f"{number:02d},{'abc'[number % 3]}\n" for number in range(TRACKS))
    )
    label_set.write_text("name: mine\n")
    tagging = ("tag", "--model", onnx_model, "--runtime", "onnx", "--dataset", here, "--out")
    for data, options in ((here, ()), (tmp_path / "there", there(cluster))):
        beside = data.parent / f"{data.name}-out"
        for command in (
            ("build", "--catalog", catalog, "--dataset", data, "--shards", SHARDS, *options),
            ("derive", "--dataset", data, "--n-mels", "48", *options),
            ("label", "--dataset", data, "--annotations", annotations, "--label-set", label_set),
            ("export-records", "--dataset", data, "--label-set", "mine", "--out", beside / "records", *options),
            (*tagging, beside / "tags", *options),
            ("verify", "--dataset", data),
        ):
            ended = run_pipeline(*command)
            assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "there") == contents(here)
    for folder in ("records", "tags"):
        assert contents(tmp_path / "there-out" / folder) == contents(here.parent / f"{here.name}-out" / folder)
    assert set(cluster.states()) == {"FINISHED"}
    assert nothing_is_left_over(tmp_path / "there", run_pipeline)
    first, second = cluster.shards_of_workers()
    sizes = PlanReader(str(here / "plan" / "gen-000.parquet")).sizes
    assert first + second == len(sizes)
    assert abs(first - second) <= 1  # in turn, and the largest are handed out first


@pytest.mark.parametrize("killed", ["TaskManager", "worker"])
def test_the_job_recovers_by_itself(
    killed: str, cluster: FlinkCluster, catalog: str, here: Path, tmp_path: Path, contents: Contents
) -> None:
    before = len(cluster.states())
    with begun(there(cluster), catalog, tmp_path / "there") as building:
        if killed == "TaskManager":
            cluster.kill("task-manager-1")
            cluster.start_task_manager(1)
        else:
            os.kill(workers()[0], signal.SIGKILL)
        _, words = building.communicate(timeout=RECOVERY_SECONDS)
    assert building.returncode == 0, words
    assert "Traceback" not in words
    assert len(cluster.states()) == before + 1  # the same job
    assert features(contents(tmp_path / "there")) == features(contents(here))


def test_a_stopped_command_cancels_its_job(cluster: FlinkCluster, tmp_path: Path) -> None:
    long = small_catalog(tmp_path, 300, seconds=4.0)
    with begun(there(cluster), long, tmp_path / "there", shards=150) as building:
        building.send_signal(signal.SIGTERM)
        _, words = building.communicate(timeout=RECOVERY_SECONDS)
    assert building.returncode == 75
    assert "was cancelled, as Flink at http://localhost:" in words
    assert cluster.states()[-1] == "CANCELED"


def test_a_dead_job_manager_ends_the_command_which_goes_on_with_a_new_one(
    cluster: FlinkCluster,
    catalog: str,
    here: Path,
    tmp_path: Path,
    run_pipeline: RunPipeline,
    contents: Contents,
) -> None:
    with begun(there(cluster), catalog, tmp_path / "there") as building:
        for worker in workers():
            os.kill(worker, signal.SIGSTOP)  # otherwise they could write the rest before anyone notices
        cluster.kill("job-manager")
        _, words = building.communicate(timeout=300)
        for worker in workers():
            os.kill(worker, signal.SIGKILL)
    assert building.returncode == 1
    (line,) = [line for line in words.splitlines() if line.startswith("error: ")]
    assert "shards unfinished" in line
    assert "Traceback" not in words and "ERROR" not in words
    cluster.start_job_manager()
    cluster.wait_for_task_managers()
    build = ("build", "--catalog", catalog, "--dataset", tmp_path / "there", "--shards", SHARDS)
    ended = run_pipeline(*build, *there(cluster))
    assert ended.returncode == 0, ended.stderr
    assert features(contents(tmp_path / "there")) == features(contents(here))
    assert nothing_is_left_over(tmp_path / "there", run_pipeline)
