"""Estimate the cost of building a catalog from a sample of it. The command calls `estimate`."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time

import numpy as np
import pyarrow.compute as pc

from pipeline.decode.catalog import read_catalog
from pipeline.decode.options import DEFAULT_EXCERPT, BuildOptions
from pipeline.decode.reject_rate import example_rejects, reject_words, rejects_by_cause
from pipeline.decode.sample import sample_catalog
from pipeline.decode.shards import ShardJob
from pipeline.estimate.cost_sample import Spent, measure_sample
from pipeline.estimate.course import Course
from pipeline.estimate.extrapolate import Extrapolation, Interval, allowing_for, factors_of, share
from pipeline.estimate.options import EstimateOptions
from pipeline.estimate.startup import measure_startup
from schemas.console.errors import UserError
from schemas.console.progress import Progress
from schemas.features import FAMILIES, Excerpt, Family, specs_for

_GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class AtWorkers:
    """Cost of a build with a given number of workers.

    Attributes:
        workers: Number of workers with one vCPU each.
        busy: Number of workers that get a shard, which is the unit of work; no others are started or paid for.
        core_hours: CPU time of all processes in hours.
        wall_seconds: Wall time of the command in seconds.
        dollars: Price of vCPUs and memory over the wall time.
    """

    workers: int
    busy: int
    core_hours: Interval
    wall_seconds: Interval
    dollars: Interval


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Estimated cost of a build.

    Attributes:
        catalog: Path of the catalog.
        tracks: Number of rows in the catalog.
        sampled: Number of tracks decoded.
        seed: Seed of the sample.
        by_duration: True if the catalog's durations were used.
        core_hours: CPU time of tracks, shards and the job in hours; starting workers adds to it.
        bytes: Payload bytes per family.
        rejects: Number of sampled tracks that would be rejected, by cause.
        examples: Cause -> (track_id, message of the decoder).
        reject_share: Share of all tracks that would be rejected.
        shards: Number of shards, which are the work items.
        job, worker, shard: Fixed cost of each, regardless of its tracks; a worker's includes its decoding process.
        at: Costs for each number of workers.
        storage_dollars_month: Price of storing the payloads for a month.
        seconds: Wall time of this estimate in seconds.
    """

    catalog: str
    tracks: int
    sampled: int
    seed: int
    by_duration: bool
    core_hours: Interval
    bytes: dict[Family, Interval]
    rejects: dict[str, int]
    examples: dict[str, tuple[str, str]]
    reject_share: Interval
    shards: int
    job: Spent
    worker: Spent
    shard: Spent
    at: tuple[AtWorkers, ...]
    storage_dollars_month: Interval
    seconds: float


def estimate(catalog_uri: str, build: BuildOptions | None = None, options: EstimateOptions | None = None) -> Estimate:
    """Decode a seeded sample of a catalog and extrapolate.

    Args:
        catalog_uri: URI of the catalog.
        build: Options of the build to estimate.
        options: Options of the estimate.

    Raises:
        UserError: the catalog or the options are wrong, or no sampled track can be decoded.
        TagscaleError: this installation cannot build.
    """
    build, options = build or BuildOptions(), options or EstimateOptions()
    began = time.monotonic()
    if build.decoder == "tfio":
        from pipeline.audio.tfio_engine import check_tfio  # imports TensorFlow, so only on request

        check_tfio()
    excerpt = Excerpt.parse(build.excerpt or DEFAULT_EXCERPT)
    families = specs_for(build.families or FAMILIES, str(excerpt))
    catalog = read_catalog(catalog_uri, build.limit)
    sample = sample_catalog(catalog.table, options.sample, options.seed)
    with tempfile.TemporaryDirectory() as folder, Progress("sample", sample.num_rows, "tracks") as progress:
        sample_folder, startup_folder = (os.path.join(folder, name) for name in ("sample", "startup"))
        os.mkdir(sample_folder)
        os.mkdir(startup_folder)
        job = ShardJob(sample_folder, 0, families, catalog.root, build.decoder, build.strict, build.max_seconds)
        measured = measure_sample(sample, job, progress.update)
        rejects, examples = rejects_by_cause(measured.tracks), example_rejects(measured.tracks, catalog)
        if sum(rejects.values()) == sample.num_rows:
            raise UserError(
                f"catalog {catalog_uri}: all {sample.num_rows} tracks that were tried were rejected "
                f"({reject_words(rejects, examples)}); fix the catalog or the audio"
            )
        startup = measure_startup(startup_folder)
    factors = factors_of(catalog.table, excerpt, sample.num_rows)
    places = pc.index_in(sample["track_id"], value_set=catalog.table["track_id"].combine_chunks()).to_numpy()
    extrapolation = Extrapolation(factors, places)
    sizes = {
        family: pc.fill_null(measured.tracks[f"{family}_length"], 0).to_numpy().astype(np.float64)
        for family in families
    }
    course = Course(catalog.table, excerpt, build.shards, build.strict, measured, startup, extrapolation)
    reject_share = share(sum(rejects.values()), sample.num_rows, catalog.table.num_rows)
    stored, *of_family = (
        allowing_for(extrapolation.total(size), reject_share) for size in (sum(sizes.values()), *sizes.values())
    )
    return Estimate(
        catalog=catalog_uri,
        tracks=catalog.table.num_rows,
        sampled=sample.num_rows,
        seed=options.seed,
        by_duration=factors.shape[1] > 1,
        core_hours=course.cpu_seconds.times(1 / 3600),
        bytes=dict(zip(sizes, of_family, strict=True)),
        rejects=rejects,
        examples=examples,
        reject_share=reject_share,
        shards=len(course.shards),
        job=course.job,
        worker=course.worker,
        shard=measured.shard,
        at=tuple(_at_workers(workers, course, options) for workers in options.workers),
        storage_dollars_month=stored.times(options.prices.storage_gb_month / _GIB),
        seconds=time.monotonic() - began,
    )


def _at_workers(workers: int, course: Course, options: EstimateOptions) -> AtWorkers:
    busy = min(workers, len(course.shards))
    wall = course.wall_seconds(busy)
    hour = options.prices.vcpu_hour + options.memory_gb * options.prices.memory_gb_hour
    return AtWorkers(
        workers=workers,
        busy=busy,
        core_hours=course.cpu_seconds.plus(course.starting(busy).cpu).times(1 / 3600),
        wall_seconds=wall,
        dollars=wall.times(busy * hour / 3600),
    )
