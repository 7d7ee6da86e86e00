"""A job on an engine is submitted once; the command ends when the work is done, and says what becomes of a job it leaves.

The engine is Beam's own job server with its worker pool, in processes of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipeline.jobs.remote_run import Patience, RemoteRun
from schemas.console.errors import TagscaleError
from tests.conftest import RunPipeline, small_catalog

ROOT = Path(__file__).parents[3]
Contents = Callable[..., dict[str, str]]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@dataclasses.dataclass
class Engine:
    """A running job server with its workers.

    Attributes:
        server: Process of the job server.
        options: Options for Beam that submit a job to it.
    """

    server: subprocess.Popen[bytes]
    options: tuple[str, ...]


@contextlib.contextmanager
def started_engine(folder: Path) -> Iterator[Engine]:
    server, pool = free_port(), free_port()
    # The pool starts whatever is called python.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}
    with contextlib.ExitStack() as stack:
        processes = []
        for module, options in (
            ("portability.local_job_service_main", [f"--port={server}", f"--staging_dir={folder}"]),
            ("worker.worker_pool_main", [f"--service_port={pool}"]),
        ):
            command = [sys.executable, "-m", f"apache_beam.runners.{module}", *options]
            log = stack.enter_context(open(folder / f"{module}.log", "wb"))
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        for port in (server, pool):
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.1)
        external = ("--environment_type=EXTERNAL", f"--environment_config=localhost:{pool}")
        try:
            yield Engine(
                processes[0], ("--", "--runner=PortableRunner", f"--job_endpoint=localhost:{server}", *external)
            )
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with started_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.mark.slow
def test_a_job_left_to_the_engine_is_followed_by_its_marks_and_completed_by_the_same_command(
    engine: Engine, tmp_path: Path, run_pipeline: RunPipeline, contents: Contents
) -> None:
    catalog = small_catalog(tmp_path, 12, seconds=0.5)
    build = ("build", "--catalog", catalog, "--shards", 4, "--dataset")
    left = run_pipeline(*build, tmp_path / "there", "--detach", *engine.options)
    assert left.returncode == 0, left.stderr
    assert f"pipeline.run status --dataset {tmp_path / 'there'}` shows how far it is" in left.stdout
    assert "job server at localhost:" in left.stdout
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        shown = json.loads(run_pipeline("status", "--dataset", tmp_path / "there", "--json").stdout)
        (work,) = shown["work"]
        assert (work["what"], work["shards"], work["tracks"], shown["complete"]) == ("gen-000", 4, 12, False)
        if work["done"] == 4:
            break
        time.sleep(0.5)
    assert (work["done"], work["tracks_done"]) == (4, 12)
    assert work["last_mark"] < 60
    assert "gen-000 is written; the same `" in run_pipeline("status", "--dataset", tmp_path / "there").stdout
    for folder in ("there", "here"):
        ended = run_pipeline(*build, tmp_path / folder)
        assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    shown = json.loads(run_pipeline("status", "--dataset", tmp_path / "there", "--json").stdout)
    assert shown["complete"] and shown["work"][0]["tracks_done"] == 12


@pytest.mark.slow
def test_a_stopped_command_cancels_its_job(engine: Engine, tmp_path: Path) -> None:
    with begun_build(engine, tmp_path) as building:
        building.send_signal(signal.SIGTERM)
        _, words = building.communicate(timeout=30)
    assert building.returncode == 75
    assert "of the job server at localhost:" in words and "was told to stop" in words


@pytest.mark.slow
def test_a_job_server_that_dies_ends_the_command_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    with started_engine(tmp_path / "engine") as engine, begun_build(engine, tmp_path) as building:
        os.killpg(engine.server.pid, signal.SIGKILL)
        _, words = building.communicate(timeout=60)
    assert building.returncode == 1
    (line,) = [line for line in words.splitlines() if line.startswith("error: ")]
    assert "shards unfinished" in line and "Traceback" not in words


@contextlib.contextmanager
def begun_build(engine: Engine, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A build on the engine that has finished its first shard and is far from its end."""
    catalog = small_catalog(folder, 120, seconds=2.0)
    command = [
        sys.executable,
        "-m",
        "pipeline.run",
        "build",
        "--catalog",
        catalog,
        "--shards",
        200,
        "--max-reject-rate",
        1,
    ]
    command += ["--dataset", folder / "there", *engine.options]
    with subprocess.Popen([str(word) for word in command], cwd=ROOT, stderr=subprocess.PIPE, text=True) as building:
        deadline = time.monotonic() + 60
        while not list((folder / "there").glob("features/logmel-*/gen-000/*.json")):
            assert building.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        yield building
        building.kill()


class Result:
    """What a runner returns, with an engine behind it that may say nothing."""

    def __init__(self, state: Callable[[], str], end: threading.Event | None = None) -> None:
        self._state, self._end = state, end or threading.Event()
        self.cancelled = 0

    @property
    def state(self) -> str:
        return self._state()

    def wait_until_finish(self) -> str:
        self._end.wait(60)
        return PipelineState.DONE

    def cancel(self) -> None:
        self.cancelled += 1


def silence() -> str:
    time.sleep(60)
    return ""


def refusal() -> str:
    raise ConnectionError("no route")


@pytest.mark.parametrize("state", [silence, refusal])
def test_an_engine_that_does_not_answer_ends_the_wait_in_one_line(state: Callable[[], str]) -> None:
    result = Result(state)
    run = RemoteRun(result, PipelineOptions([]), Patience(silent=0.5, closing=60, ask=0.1))
    with pytest.raises(
        TagscaleError, match=r"expected an answer, received none for 0.5 s; .* run the same command again"
    ):
        run.wait(lambda: 3)
    assert result.cancelled == 0


@pytest.mark.parametrize("state", [silence, lambda: PipelineState.RUNNING])
def test_the_wait_ends_when_every_mark_is_there(state: Callable[[], str]) -> None:
    left = iter([2, 1])
    run = RemoteRun(Result(state), PipelineOptions([]), Patience(silent=1.0, closing=0.3, ask=0.1))
    run.wait(lambda: next(left, 0))


def test_a_failure_of_this_process_cancels_the_job() -> None:
    result = Result(lambda: PipelineState.RUNNING)

    def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RemoteRun(result, PipelineOptions([]), Patience(ask=0.1)).wait(broken)
    assert result.cancelled == 1


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--", "--runner=DirectRunner"],
        ["--", "--runner=PortableRunner", "--job_endpoint=embed"],
        ["--", "--runner=PortableRunner", "--job_endpoint=localhost:1", "--environment_type=LOOPBACK"],
    ],
)
def test_a_job_that_would_end_with_the_command_cannot_be_left(
    options: list[str], tmp_path: Path, run_pipeline: RunPipeline
) -> None:
    catalog = small_catalog(tmp_path, 1, seconds=0.5)
    ended: Any = run_pipeline("build", "--catalog", catalog, "--dataset", tmp_path / "data", "--detach", *options)
    assert ended.returncode == 2
    assert "--detach: expected a runner whose job goes on" in ended.stderr
    assert not (tmp_path / "data").exists()
