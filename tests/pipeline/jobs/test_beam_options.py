"""Beam's options are checked before anything is planned, decoded or written."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.prism_runner import PrismJobServer
from apache_beam.utils.subprocess_server import JavaJarServer

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.export_records.export import ExportOptions, export_records
from pipeline.jobs.beam_options import OWN_OPTIONS, check_beam_options
from pipeline.run import cli
from schemas.console.errors import UserError
from tests.conftest import SmallCorpus

ROOT = Path(__file__).parents[3]
DATAFLOW = (
    "--runner=DataflowRunner --project=my-project --region=us-central1 --temp_location=gs://bucket/tmp "
    "--sdk_container_image=IMAGE --sdk_location=container --no_save_main_session "
    "--number_of_worker_harness_threads=1 --experiments=use_runner_v2 --no_auth"
)
FLINK = "--runner=FlinkRunner --job_server_java_launcher=/bin/sh"  # any program may stand in for Java


@pytest.fixture
def fetching_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Job server programs are downloaded, but a test machine may have no network."""
    monkeypatch.setattr(JavaJarServer, "local_jar", lambda url, *_: url)
    monkeypatch.setattr(PrismJobServer, "_get_executable_path", lambda self: "prism")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "--runner=DirectRunner",
        "--runner direct --direct_num_workers 2",
        "--direct_num_workers=2 --direct_running_mode=multi_processing",
        "--runner=BundleBasedDirectRunner",
        "--runner=PortableRunner --job_endpoint=embed --environment_type=LOOPBACK",
        "--runner=PortableRunner --job_endpoint=embed --environment_type=EXTERNAL --environment_config=localhost:50000",
        "--runner=PrismRunner --environment_type=LOOPBACK --artifact_endpoint=localhost:1",
        f"{FLINK} --flink_master=localhost:8081 --parallelism=2 --environment_type=PROCESS"
        " --environment_option=process_command=/boot",
        f"{FLINK} --checkpointing_interval=3000",  # known to its job server, not to Beam's Python
        "--runner=SparkRunner --spark_master_url=spark://host:7077 --job_server_java_launcher=/bin/sh",
        DATAFLOW,
        f"{DATAFLOW} --template_location=gs://bucket/template --max_num_workers=4 --labels=a=b",
    ],
)
@pytest.mark.usefixtures("fetching_works")
def test_what_beam_knows_is_let_through(given: str) -> None:
    check_beam_options(given.split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--runer=DirectRunner", "Beam has no --runer; did you mean --runner[?]"),
        ("--direct_num_worker=2", "no --direct_num_worker; did you mean --direct_num_workers[?]"),
        ("--direct-num-workers=2", "no --direct-num-workers; did you mean --direct_num_workers[?]"),
        ("--runner=DirectRunner --qqqq 3", "Beam has no --qqqq; leave it out"),
        (f"{DATAFLOW} --temp_loction=gs://x", "no --temp_loction; did you mean --temp_location[?]"),
        (f"{FLINK} --flink_mastre=x", "no --flink_mastre; did you mean --flink_master[?]"),
        ("DirectRunner", "expected --NAME=VALUE after --, received 'DirectRunner'"),
        ("--help", "Beam has no --help"),
        ("--runner=DirectRunner --workers=4", "--workers is not an option of Beam; put it before --"),
        ("--direct_num_workers=many", "argument --direct_num_workers: invalid int value: 'many'"),
        ("--runner", "argument --runner: expected one argument"),
        ("--runner=DirectRuner", "--runner: expected .*, received 'DirectRuner'; did you mean 'DirectRunner'[?]"),
        ("--runner=no.such.Runner", "--runner no.such.Runner: cannot be imported: No module named 'no'"),
        (
            "--runner=pipeline.jobs.plan.Runner",
            "cannot be imported: module 'pipeline.jobs.plan' has no attribute 'Runner'",
        ),
        ("--runner=DaskRunner", "write --runner=apache_beam.runners.dask.dask_runner.DaskRunner"),
        ("--runner=PortableRunner", "--runner PortableRunner: expected --job_endpoint=HOST:PORT .* received none"),
        (
            "--runner=PortableRunner --job_endpoint=localhost:9 --job_server_timeout=1",
            "--job_endpoint: expected a job server at localhost:9, where none answered within 1 s",
        ),
        ("--runner=PortableRunner --job_endpoint=embed --environment_type=PROCESS", "process_command is required"),
        ("--runner=FlinkRunner --job_server_java_launcher=jaava", "its job server needs jaava, which is not installed"),
        (f"{FLINK} --flink_job_server_jar=/no.jar", 'jar URL "/no.jar"'),
        ("--runner=SparkRunner --spark_submit_uber_jar", "spark_rest_url must be set"),
        ("--runner=PrismRunner --prism_location=/no/prism", "--prism_location /no/prism: no such file"),
        ("--runner=DataflowRunner --region=us-central1", "Missing required option: project"),
    ],
)
def test_what_beam_would_pass_over_or_fail_by_later_is_refused(given: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        check_beam_options(given.split())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (FLINK, "--flink_job_server_jar"),
        ("--runner=SparkRunner --job_server_java_launcher=/bin/sh", "--spark_job_server_jar"),
        ("--runner=PrismRunner", "--prism_location"),
    ],
)
def test_a_job_server_that_cannot_be_fetched_is_refused_before_a_plan(
    given: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> NoReturn:
        raise URLError("Name or service not known")

    monkeypatch.setattr("apache_beam.utils.subprocess_server.JavaJarServer._download_jar_to_cache", fails)
    for name in ("FileSystems.open", "urlopen"):
        monkeypatch.setattr(f"apache_beam.runners.portability.prism_runner.{name}", fails)
    monkeypatch.setattr(PrismJobServer, "BIN_CACHE", str(tmp_path))
    monkeypatch.setattr(JavaJarServer, "JAR_CACHE", str(tmp_path))
    with pytest.raises(
        UserError, match=f"its job server cannot be obtained: .*Name or service not known.*; give {option}="
    ):
        check_beam_options(given.split())
    with pytest.raises(UserError, match="its job server cannot be obtained"):
        build(str(tmp_path / "c.csv"), str(tmp_path / "data"), BuildOptions(beam_options=tuple(given.split())))
    assert not (tmp_path / "data").exists()


def test_options_of_the_commands_themselves_are_known_not_to_be_beams() -> None:
    ours = {
        option
        for name in ("build", "derive", "export-records")
        for parameter in cli.commands[name].params
        for option in parameter.opts
    }
    assert set(OWN_OPTIONS) <= ours


@pytest.mark.parametrize(
    ("name", "module", "words"),
    [
        ("DataflowRunner", "apache_beam.runners.dataflow.internal.apiclient", r"pip install '\.\[gcp\]'"),
        (
            "apache_beam.runners.dask.dask_runner.DaskRunner",
            "dask.distributed",
            r"pip install 'apache-beam\[dask\]'",
        ),
    ],
)
def test_a_runner_without_its_packages_says_how_to_have_them(
    name: str, module: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"--runner {name}: its packages are not installed .*{words}"):
        check_beam_options([f"--runner={name}"])


DASK = """
import socket, sys, types
from unittest.mock import MagicMock
for name in ("dask", "dask.bag", "dask.distributed", "dask.base", "dask.config", "dask.delayed"):
    sys.modules[name] = MagicMock()  # is not among the packages here
sys.modules["dask.bag"].Bag = sys.modules["dask.bag"].core.Bag = type("Bag", (), {})
from pipeline.jobs.beam_options import check_beam_options
from schemas.console.errors import UserError
with socket.create_server(("localhost", 0)) as scheduler:
    address = f"tcp://localhost:{scheduler.getsockname()[1]}"
    runner = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
    check_beam_options([runner, f"--dask_client_address={address}", "--dask_npartitions=7"])
for given in (f"--dask_client_address={address}", f"--dask_client_adress={address}"):
    try:
        check_beam_options([runner, given])
    except UserError as error:
        print(error)
"""


def test_dask_has_options_of_its_own_and_a_scheduler() -> None:
    ended = subprocess.run([sys.executable, "-c", DASK], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    gone, misspelt = ended.stdout.splitlines()
    assert gone.startswith("--dask_client_address: expected a scheduler at tcp://localhost:")
    assert "Connection refused; start it" in gone
    assert misspelt == "Beam options: Beam has no --dask_client_adress; did you mean --dask_client_address?"


class _JobServer(beam_job_api_pb2_grpc.JobServiceServicer):
    def DescribePipelineOptions(  # noqa: N802 (its name in the protocol)
        self, request: object, context: object
    ) -> beam_job_api_pb2.DescribePipelineOptionsResponse:
        kind = beam_job_api_pb2.PipelineOptionType.STRING
        option = beam_job_api_pb2.PipelineOptionDescriptor(name="state_backend", type=kind)
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])


@pytest.fixture
def job_server() -> Iterator[str]:
    """HOST:PORT of a job server that knows one option of its own."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(_JobServer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(0)


def test_a_job_server_is_asked_what_it_knows(job_server: str) -> None:
    given = ["--runner=PortableRunner", f"--job_endpoint={job_server}"]
    check_beam_options([*given, "--state_backend=rocksdb"])
    with pytest.raises(UserError, match="Beam has no --another_backend"):
        check_beam_options([*given, "--another_backend=rocksdb"])


@pytest.mark.parametrize("given", ["--runner=DirectRuner", "--runner=PortableRunner", "--runer=DirectRunner"])
def test_nothing_is_planned_or_written_before(
    given: str,
    small_corpus: SmallCorpus,
    built_dataset: Path,
    tmp_path: Path,
    contents: Callable[[Path], dict[str, str]],
) -> None:
    before = contents(built_dataset)
    with pytest.raises(UserError):
        build(small_corpus.catalog, str(tmp_path / "data"), BuildOptions(beam_options=[given]))
    with pytest.raises(UserError):
        derive(str(built_dataset), DeriveOptions(mels=32, beam_options=[given]))
    with pytest.raises(UserError, match="[rR]unn?er"):
        export_records(str(built_dataset), "none", str(tmp_path / "out"), ExportOptions(beam_options=[given]))
    assert contents(built_dataset) == before
    assert list(tmp_path.iterdir()) == []
