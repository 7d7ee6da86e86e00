"""An engine's file becomes options that Beam knows and reads as meant; what is wrong in it is named."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import apache_beam
import pytest
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)

import pipeline.jobs.beam_options
from pipeline.jobs.engines import ENGINES, engine_options
from schemas.console.errors import UserError
from tests.conftest import RunPipeline, small_catalog

DOCS = Path(__file__).parents[3] / "docs"
DASK_RUNNER = (Path(apache_beam.__file__).parent / "runners" / "dask" / "dask_runner.py").read_text()
DATAFLOW = """
project: music
region: europe-west1
temp_location: gs://bucket/tmp
image: europe-docker.pkg.dev/music/tagscale/worker:1
machine_type: n1-standard-4
max_workers: 200
disk_gb: 50
flexrs: yes
private: no
labels: {team: mir, stage: "1"}
"""
FLINK = """
job_endpoint: jobs.example:8099
worker_command: /opt/tagscale/bin/tagscale-worker
parallelism: 16
"""


def options_of(tmp_path: Path, engine: str, text: str, *given: str) -> PipelineOptions:
    (tmp_path / "engine.yaml").write_text(text)
    return PipelineOptions(engine_options(engine, str(tmp_path / "engine.yaml"), given))


def test_the_settings_of_dataflow_are_those_that_beam_reads(tmp_path: Path) -> None:
    options = options_of(tmp_path, "dataflow", DATAFLOW)
    cloud, workers = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert (cloud.project, cloud.region, cloud.temp_location) == ("music", "europe-west1", "gs://bucket/tmp")
    assert (cloud.flexrs_goal, cloud.labels) == ("COST_OPTIMIZED", ["stage=1", "team=mir"])
    assert (workers.machine_type, workers.max_num_workers, workers.disk_size_gb) == ("n1-standard-4", 200, 50)
    assert (workers.sdk_container_image, workers.use_public_ips) == (
        "europe-docker.pkg.dev/music/tagscale/worker:1",
        None,
    )


def test_the_settings_of_flink_are_those_that_beam_reads(tmp_path: Path) -> None:
    options = options_of(tmp_path, "flink", FLINK)
    portable = options.view_as(PortableOptions)
    assert options.view_as(StandardOptions).runner == "PortableRunner"
    assert (portable.job_endpoint, portable.environment_type) == ("jobs.example:8099", "PROCESS")
    assert json.loads(portable.environment_config) == {"command": "/opt/tagscale/bin/tagscale-worker"}


def test_options_after_the_dashes_go_over_the_file(tmp_path: Path) -> None:
    options = options_of(tmp_path, "dataflow", DATAFLOW, "--max_num_workers=3")
    assert options.view_as(WorkerOptions).max_num_workers == 3


def test_beam_knows_every_option_that_a_field_stands_for() -> None:
    values = {"job_endpoint": "h:1", "rest": "h:1", "job_name": "a", "service_account": "a@b", "labels": {"a": "b"}}
    for engine in ENGINES.values():
        options = list(engine.always)
        for field, setting in engine.settings.items():
            for value in (values.get(field), "1", "yes", "gs://bucket/name"):
                try:
                    options += setting.options(value)
                    break
                except ValueError:
                    continue
            else:
                pytest.fail(f"{field}: no value fits")
        unknown = [word.split("=")[0] for word in pipeline.jobs.beam_options._unknown(options)]
        # Beam registers dask's options only where dask is installed; their names stand in its source all the same.
        assert [word for word in unknown if f"'{word}'" not in DASK_RUNNER] == []


@pytest.mark.parametrize(
    ("engine", "text", "words"),
    [
        (
            "flink",
            FLINK.replace(".example:8099", ""),
            "job_endpoint: expected HOST:PORT of Beam's job server for it, received 'jobs'",
        ),
        ("flink", "worker_pool: a:1", "expected job_endpoint; give a file with it"),
        ("flink", "job_endpoint: a:1", "expected exactly one of worker_command, worker_pool, worker_image"),
        ("flink", f"{FLINK}worker_pool: a:1", "received worker_command and worker_pool"),
        ("flink", f"{FLINK}paralelism: 2", "flink has no field 'paralelism'.*did you mean 'parallelism'"),
        ("flink", FLINK.replace("16", "0"), "parallelism: expected a whole number from 1 on, received '0'"),
        (
            "dataflow",
            DATAFLOW.replace("gs://bucket/tmp", "/tmp"),
            "temp_location: expected a gs:// folder, received '/tmp'",
        ),
        ("dataflow", DATAFLOW.replace("project: music", ""), "expected project; give a file with it"),
        ("dataflow", DATAFLOW.replace("mir", "MIR"), "labels: expected lower-case names"),
        ("dataflow", DATAFLOW.replace("flexrs: yes", "flexrs: 7"), "flexrs: expected yes or no, received '7'"),
        ("local", "workers: 2", "local has no field 'workers'; its fields: none"),
        ("dask", "- a", "expected fields with the settings of an engine"),
    ],
)
def test_a_wrong_file_is_refused_by_field(engine: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        options_of(tmp_path, engine, text)


def test_a_command_refuses_a_file_without_an_engine_and_runs_here_for_local(
    tmp_path: Path, run_pipeline: RunPipeline
) -> None:
    build = (
        "build",
        "--catalog",
        small_catalog(tmp_path, 2, seconds=0.5),
        "--dataset",
        tmp_path / "data",
        "--workers",
        1,
    )
    refused = run_pipeline(*build, "--engine-config", "flink.yaml")
    assert (refused.returncode, "expected --engine with it" in refused.stderr) == (2, True)
    refused = run_pipeline(*build, "--engine", "spark")
    assert (refused.returncode, "--engine spark: expected job_endpoint" in refused.stderr) == (2, True)
    assert not (tmp_path / "data").exists()
    assert run_pipeline(*build, "--engine", "local").returncode == 0


def test_the_page_names_every_field() -> None:
    page = (DOCS / "beam.md").read_text(encoding="utf-8")
    for name, engine in ENGINES.items():
        if engine.settings:
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}`")]
            assert set(re.findall(r"`([a-z_]+)`", row)) - {name} == set(engine.settings)


def test_the_examples_of_the_pages_are_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "dataflow.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert options_of(tmp_path, "dataflow", example).view_as(GoogleCloudOptions).labels == ["team=music"]
    examples = re.findall(r"```yaml\n(.*?)```", (DOCS / "flink.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    (settings,) = [textwrap.dedent(one) for one in examples if "job_endpoint" in one]
    options = options_of(tmp_path, "flink", settings.replace("JOBSERVER", "jobs").replace("JOBMANAGER", "flink"))
    assert options.view_as(FlinkRunnerOptions).flink_master == "flink:8081"
    (example,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "spark.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    options = options_of(tmp_path, "spark", textwrap.dedent(example).replace("JOBSERVER", "jobs"))
    assert options.view_as(PortableOptions).job_endpoint == "jobs:8099"
