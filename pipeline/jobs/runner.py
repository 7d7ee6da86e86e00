"""Run the unfinished shards of a job: on this machine, or once on an engine."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipeline.jobs.counters import counters_of
from pipeline.jobs.job_failures import job_failure
from pipeline.jobs.kept_stops import kept_stops
from pipeline.jobs.local_run import run_here
from pipeline.jobs.remote_run import Patience, RemoteRun, left_running, staged_template
from pipeline.jobs.shard_job import Job, unfinished_shards
from pipeline.jobs.transforms import WriteShards, handing_out
from schemas.console.errors import TagscaleError
from schemas.console.progress import Progress
from schemas.console.verbosity import verbosity
from schemas.storage.files import is_remote

POLL_SECONDS = 1.0  # between two counts of the done marks
REMOTE_POLL_SECONDS = 10.0  # the same in a store, where each count takes one listing per thousand marks


class RunOptions(Protocol):
    """What the options of every job say about where it runs."""

    @property
    def workers(self) -> int | None: ...

    @property
    def beam_options(self) -> Sequence[str]: ...

    @property
    def detach(self) -> bool: ...


def run_shards(
    job: Job,
    shards: int,
    *,
    workers: int | None,
    beam_options: Sequence[str],
    on_progress: Callable[[int], None],
    detach: bool = False,
    shown_by: str = "",
    patience: Patience | None = None,
) -> dict[str, int]:
    """Write all unfinished shards of a job.

    Args:
        job: Job to run.
        shards: Number of shards in its plan.
        workers: Number of local worker processes; None for one per core. Other runners have their own options.
        beam_options: Options for Beam; without `--runner` the job runs on this machine.
        on_progress: Called with the number of finished shards every second, or every ten for a remote dataset.
        detach: Leave the job to the engine instead of waiting for it.
        shown_by: Command that shows how far a job is that was left to an engine.
        patience: How long to wait for an engine that does not answer.

    Returns:
        Counters of what was written, by name; see `counters_of`.

    Raises:
        TagscaleError: the runner failed, or left shards unwritten; finished shards are kept.
        WorkGoesOn: the engine has the job, or a template of it.
    """
    counters: dict[str, int] = {}
    if missing := unfinished_shards(job, shards):
        runner = PipelineOptions(list(beam_options)).view_as(StandardOptions).runner
        with _watched(job, shards, on_progress) as left_last, _quiet_beam():
            if runner is None:
                result = run_here(job, shards, workers=workers, beam_options=list(beam_options))
            else:
                spread = evenly_on_dask(beam_options, len(missing)) if runner.endswith("DaskRunner") else beam_options
                options = PipelineOptions([*stated_needs(job), *spread])
                result = _run_there(job, shards, options, left_last, patience, shown_by if detach else None)
            counters = counters_of(result)
    on_progress(shards)
    return counters


def stated_needs(job: Job) -> list[str]:
    """Options for Beam that say what a worker needs, for all steps alike: one with other needs would get other workers."""
    return [f"--resource_hints=min_ram={job.memory}", "--resource_hints=cpu_count=1"]


def evenly_on_dask(beam_options: Sequence[str], shards: int) -> list[str]:
    """Options for Beam by which dask hands out shard by shard; it would make one task of 128, unless told otherwise."""
    told = any(option.startswith(("--dask_npartitions", "--dask_partition_size")) for option in beam_options)
    return [*beam_options] if told else [*beam_options, f"--dask_npartitions={shards}"]


def run_with_progress(job: Job, shards: int, what: str, options: RunOptions, *, shown_by: str = "") -> None:
    """Write all unfinished shards of a job, with its shards as the measure of progress.

    Args:
        job: Job to run.
        shards: Number of shards in its plan.
        what: Name of the work, which progress shows.
        options: Where the job runs.
        shown_by: as of `run_shards`.

    Raises:
        TagscaleError: as `run_shards`.
        WorkGoesOn: as `run_shards`.
    """
    with Progress(what, shards, "shards") as progress:
        progress.start_at(shards - len(unfinished_shards(job, shards)))
        run_shards(
            job,
            shards,
            workers=options.workers,
            beam_options=options.beam_options,
            on_progress=progress.update,
            detach=options.detach,
            shown_by=shown_by,
        )


def _run_there(
    job: Job,
    shards: int,
    options: PipelineOptions,
    left_last: Callable[[], int],
    patience: Patience | None,
    left_to_it: str | None,
) -> Any:
    """Run a job on an engine, or leave it there; it is submitted once, since the engine itself repeats what it lost.

    Returns:
        What the runner returned for it.
    """
    try:
        result = _submitted(job, shards, options)
        run = RemoteRun(result, options, patience)
        if left_to_it is not None:
            raise left_running(run, left_to_it)
        run.wait(left_last)
    except TagscaleError:
        raise
    except Exception as error:  # a runner wraps a worker's exception in its own
        left = len(unfinished_shards(job, shards))
        if left:
            raise TagscaleError(job_failure(error, left, shards)) from error
        return None
    if left := len(unfinished_shards(job, shards)):
        raise TagscaleError(
            f"{run.name} ended without an error, and {left} of {shards} shards are unfinished; look there for the reason, "
            "then run the same command again, which keeps every finished shard"
        )
    return result


def _submitted(job: Job, shards: int, options: PipelineOptions) -> Any:
    """What the runner returns for the job; raises WorkGoesOn if it wrote a template of it."""
    pipeline = beam.Pipeline(options=options)
    pipeline | "WriteShards" >> WriteShards(job, handing_out(job, unfinished_shards(job, shards)))
    template = staged_template(options)  # before the runner changes the options
    with kept_stops():
        result = pipeline.run()
    if template is not None:
        raise template
    return result


@contextlib.contextmanager
def _watched(job: Job, shards: int, on_progress: Callable[[int], None]) -> Iterator[Callable[[], int]]:
    """Count done marks while the job runs; this works with any runner, since the marks are files.

    Yields:
        A function that returns the number of unfinished shards at the last count, at first all of them.
    """
    left = [shards]
    ended = threading.Event()
    pause = REMOTE_POLL_SECONDS if is_remote(job.plan) else POLL_SECONDS

    def watch() -> None:
        while not ended.wait(pause):
            with contextlib.suppress(OSError):  # a failure of the store surfaces in the job itself
                left[0] = len(unfinished_shards(job, shards))
                on_progress(shards - left[0])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: left[0]
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _quiet_beam() -> Iterator[None]:
    """Silence Beam's own log, except with --verbose, since a worker's failure is reported in one line."""
    logger, root = logging.getLogger("apache_beam"), logging.getLogger()
    before = logger.level
    if verbosity().verbose:
        yield
        return
    logger.setLevel(logging.CRITICAL)
    root.addFilter(_nothing)  # holds for what is logged to the root itself, as Beam logs what a job server says
    try:
        yield
    finally:
        logger.setLevel(before)
        root.removeFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False
