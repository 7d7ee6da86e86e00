"""Run the shards of a job on a Beam runner, and resume after a local one lost a worker."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.jobs.job_failures import job_failure
from pipeline.jobs.kept_stops import kept_stops
from pipeline.jobs.lost_workers import ended_by_lost_worker
from pipeline.jobs.shard_job import Job, unfinished_shards
from pipeline.jobs.transforms import LOCAL_WORKER, WriteShards
from schemas.console.errors import TagscaleError
from schemas.console.verbosity import verbosity
from schemas.plan_file import PlanReader
from schemas.storage.files import is_remote

FRUITLESS_ATTEMPTS = 2  # attempts of a local runner that may end without a single new shard
WORKER_MODULE = "apache_beam.runners.worker.sdk_worker_main"
POLL_SECONDS = 1.0  # between two counts of the done marks
REMOTE_POLL_SECONDS = 10.0  # the same in a store, where each count takes one listing per thousand marks


def run_shards(
    job: Job,
    shards: int,
    *,
    workers: int | None,
    beam_options: Sequence[str],
    on_progress: Callable[[int], None],
) -> None:
    """Write all unfinished shards of a job.

    Args:
        job: Job to run.
        shards: Number of shards in its plan.
        workers: Number of local worker processes; None for one per core. Other runners have their own options.
        beam_options: Options for Beam; without `--runner` the job runs on this machine.
        on_progress: Called with the number of finished shards every second, or every ten for a remote dataset.

    Raises:
        TagscaleError: the runner failed; finished shards are kept.
    """
    options = PipelineOptions(list(beam_options))
    local = options.view_as(StandardOptions).runner is None
    count = 1
    if local:
        count = max(1, min(workers or os.cpu_count() or 1, len(unfinished_shards(job, shards))))
        options = PipelineOptions([*beam_options, *_local_options(count)])
    fruitless = 0
    while missing := unfinished_shards(job, shards):
        try:
            with (
                _watched(job, shards, on_progress),
                _quiet_beam(),
                kept_stops(),
                ended_by_lost_worker(),
                beam.Pipeline(runner=_local_runner(count) if local else None, options=options) as pipeline,
            ):
                pipeline | "WriteShards" >> WriteShards(job, handing_out(job, missing, count))
        except Exception as error:  # a runner wraps a worker's exception in its own
            left = unfinished_shards(job, shards)
            fruitless = 0 if len(left) < len(missing) else fruitless + 1
            if not local or fruitless == FRUITLESS_ATTEMPTS:
                raise TagscaleError(job_failure(error, len(left), shards)) from error
    on_progress(shards)


def handing_out(job: Job, shards: Sequence[int], workers: int) -> list[int]:
    """Shards in the best order of assignment to workers.

    The largest come first, since a large shard at the end would keep one worker busy alone. A local runner assigns all shards
    in turn before it starts, so each round runs in the opposite direction, and no worker gets the larger shard every time.

    Args:
        job: Job that the shards belong to.
        shards: Numbers of the shards.
        workers: Number of workers that get shards in turn; 1 if a worker takes the next shard as soon as it is free.
    """
    sizes = PlanReader(job.plan).sizes
    ordered = sorted(shards, key=lambda shard: (-sizes[shard], shard))
    rounds = [ordered[start : start + workers] for start in range(0, len(ordered), workers)]
    return [shard for number, turn in enumerate(rounds) for shard in (turn[::-1] if number % 2 else turn)]


def _local_runner(count: int) -> FnApiRunner:
    if count == 1:
        return FnApiRunner()
    # Beam starts it through a shell. Signals that a terminal sends to all processes of a command are for the command only.
    worker = shlex.join((sys.executable, "-m", "pipeline.jobs.local_worker", str(os.getpid()), WORKER_MODULE))
    command = f"trap '' INT HUP; exec {worker}"
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def _local_options(count: int) -> list[str]:
    os.environ.pop(LOCAL_WORKER, None)
    options = [
        "--direct_running_mode=in_memory",
        f"--direct_num_workers={count}",
    ]  # other modes choose their own environment
    if count == 1:
        return options
    os.environ[LOCAL_WORKER] = "1"
    # Beam starts its workers with this interpreter: let them find these packages from any working directory.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, *paths)))
    return options


@contextlib.contextmanager
def _watched(job: Job, shards: int, on_progress: Callable[[int], None]) -> Iterator[None]:
    """Count done marks while the job runs; this works with any runner, since the marks are files."""
    ended = threading.Event()
    pause = REMOTE_POLL_SECONDS if is_remote(job.plan) else POLL_SECONDS

    def watch() -> None:
        while not ended.wait(pause):
            with contextlib.suppress(OSError):  # a failure of the store surfaces in the job itself
                on_progress(shards - len(unfinished_shards(job, shards)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _quiet_beam() -> Iterator[None]:
    """Silence Beam's own log, except with --verbose, since a worker's failure is reported in one line."""
    logger = logging.getLogger("apache_beam")
    before = logger.level
    logger.setLevel(before if verbosity().verbose else logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
