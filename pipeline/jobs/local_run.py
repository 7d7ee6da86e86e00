"""Run the shards of a job on this machine, and go on after a worker process was lost."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.jobs.job_failures import job_failure
from pipeline.jobs.kept_stops import kept_stops
from pipeline.jobs.lost_workers import ended_by_lost_worker
from pipeline.jobs.shard_job import Job, unfinished_shards
from pipeline.jobs.transforms import LOCAL_WORKER, WriteShards, handing_out
from schemas.console.errors import TagscaleError

FRUITLESS_ATTEMPTS = 2  # attempts that may end without a single new shard
WORKER_MODULE = "apache_beam.runners.worker.sdk_worker_main"


def run_here(job: Job, shards: int, *, workers: int | None, beam_options: Sequence[str]) -> Any:
    """Write all unfinished shards of a job with worker processes of this machine; see `run_shards`.

    Returns:
        What Beam returns for the last attempt.
    """
    count = max(1, min(workers or os.cpu_count() or 1, len(unfinished_shards(job, shards))))
    options = PipelineOptions([*beam_options, *_local_options(count)])
    fruitless, result = 0, None
    while missing := unfinished_shards(job, shards):
        try:
            with (
                kept_stops(),
                ended_by_lost_worker(),
                beam.Pipeline(runner=_local_runner(count), options=options) as pipeline,
            ):
                pipeline | "WriteShards" >> WriteShards(job, handing_out(job, missing, count))
        except Exception as error:  # the runner wraps a worker's exception in its own
            left = unfinished_shards(job, shards)
            fruitless = 0 if len(left) < len(missing) else fruitless + 1
            if fruitless == FRUITLESS_ATTEMPTS:
                raise TagscaleError(job_failure(error, len(left), shards)) from error
        else:
            result = pipeline.result
    return result


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
