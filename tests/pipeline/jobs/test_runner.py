"""Only missing shards are run, and a local runner that lost a worker continues."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.decode.shards import ShardJob
from pipeline.jobs.runner import evenly_on_dask, run_shards
from pipeline.jobs.shard_job import unfinished_shards
from pipeline.jobs.transforms import handing_out
from schemas.console.errors import TagscaleError
from schemas.dataset_manifest import DatasetManifest
from schemas.plan_file import PlanReader
from tests.conftest import SmallCorpus

Contents = Callable[..., dict[str, str]]


@pytest.fixture
def job(dataset: Path, small_corpus: SmallCorpus) -> ShardJob:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    return ShardJob(str(dataset), 0, manifest.families, str(small_corpus.folder))


def test_only_missing_shards_are_written_and_progress_ends_at_all(job: ShardJob, dataset: Path) -> None:
    written = {path: path.stat().st_mtime_ns for path in (dataset / "features").rglob("*.tfrecord")}
    gone = next(path for path in written if path.name.startswith("part-00002"))
    (gone.parent / "part-00002.json").unlink()
    counts: list[int] = []
    run_shards(job, 4, workers=1, beam_options=[], on_progress=counts.append)
    assert counts[-1] == 4
    assert unfinished_shards(job, 4) == []
    untouched = {path: when for path, when in written.items() if not path.name.startswith("part-00002")}
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched


def test_a_job_that_cannot_go_on_says_why_in_one_line_and_how_much_is_left(job: ShardJob, dataset: Path) -> None:
    (dataset / "plan" / "gen-000.parquet").unlink()
    for mark in (dataset / "features").rglob("part-00001.json"):
        mark.unlink()
    with pytest.raises(
        TagscaleError,
        match="1 of 4 shards unfinished.*the plan is missing; restore it from a copy; .* once the cause is fixed",
    ) as error:
        run_shards(job, 4, workers=1, beam_options=[], on_progress=lambda done: None)
    assert "\n" not in str(error.value)


def children_of(pid: int) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state != "Z":
                found.append(int(process.name))
    return found


def worker_processes() -> list[int]:
    """Beam's workers below this process: the children of the shells that start them."""
    found = []
    for shell in children_of(os.getpid()):
        for pid in (shell, *children_of(shell)):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"sdk_worker_main" in command and not command.startswith(b"/bin/sh"):
                found.append(pid)
    return found


@pytest.mark.slow
def test_a_killed_worker_costs_an_attempt_and_not_the_build(
    job: ShardJob, dataset: Path, built_dataset: Path, contents: Contents, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in (*(dataset / "features").rglob("part-*"), *dataset.glob("tracks/gen-000/*")):
        path.unlink()
    killed: list[int] = []

    def kill_one() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for pid in worker_processes():
                if children_of(pid):  # its decoding process has started
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    break
            time.sleep(0.01)

    thread = threading.Thread(target=kill_one)
    thread.start()
    run_shards(job, 4, workers=2, beam_options=[], on_progress=lambda done: None)
    thread.join()
    assert len(killed) == 1
    assert "Traceback" not in capfd.readouterr().err
    for temporary in dataset.rglob(".tmp-*"):
        temporary.unlink()
    assert contents(dataset) == contents(built_dataset)


def test_shards_are_handed_out_largest_first(job: ShardJob) -> None:
    sizes = PlanReader(job.layout.plan(0)).sizes
    order = handing_out(job, [3, 1, 0, 2], workers=1)
    assert [sizes[shard] for shard in order] == sorted(sizes, reverse=True)
    assert order == handing_out(job, [0, 1, 2, 3], workers=1)


def test_shards_that_are_dealt_out_in_turn_load_workers_alike(job: ShardJob, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [9, 8, 7, 6, 5, 4, 3, 2, 1]
    monkeypatch.setattr(PlanReader, "sizes", property(lambda reader: sizes))
    for workers, apart in ((2, 1), (3, 2), (4, 1)):
        order = handing_out(job, range(len(sizes)), workers)
        assert sorted(order) == list(range(len(sizes)))
        loads = [sum(sizes[shard] for shard in order[worker::workers]) for worker in range(workers)]
        assert max(loads) - min(loads) <= apart


def test_dask_gets_a_task_for_each_shard_unless_it_is_told_otherwise() -> None:
    assert evenly_on_dask(["--dask_client_address=a:1"], 40)[-1] == "--dask_npartitions=40"
    told = ["--dask_npartitions=7"]
    assert evenly_on_dask(told, 40) == told
