"""Build a dataset from a catalog: plan, decode with Beam, close the generation. The command calls `build`."""

from __future__ import annotations

import collections
import dataclasses
import time

import pyarrow.compute as pc

from pipeline.decode.catalog import Catalog, read_catalog
from pipeline.decode.generations import (
    Retry,
    close_generation,
    lists_some_of,
    not_removed,
    payload_bytes,
    tried_again,
    wanted_tracks,
)
from pipeline.decode.options import BuildOptions
from pipeline.decode.planning import entry_under_way, job_under_way, open_or_begin, plan_generation
from pipeline.decode.preflight import preflight
from pipeline.decode.reject_rate import check_reject_rate, example_rejects, rejects_by_cause
from pipeline.decode.run_times import added_counters, read_run_times, write_run_times
from pipeline.decode.shard_runs import run_unfinished
from pipeline.decode.shards import ShardJob
from pipeline.decode.sources import changed_tracks, remember_sources
from pipeline.jobs.beam_options import check_beam_options
from pipeline.jobs.shard_job import remove_half_marks, unfinished_shards
from pipeline.jobs.writable_folder import writable_folder
from pipeline.removal.purge import purge_again
from schemas.console.errors import UserError
from schemas.console.progress import Progress
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.features import Family, logmel_spec_of
from schemas.generations import read_tombstones
from schemas.layout import Layout
from schemas.plan_file import PlanReader
from schemas.same_audio import same_audio
from schemas.sole_writer import changing, sole_writer
from schemas.storage.files import (
    write_atomic,
)


@dataclasses.dataclass(frozen=True)
class BuildSummary:
    """Results of a build and the contents of the dataset after it.

    Attributes:
        dataset: Folder of the dataset.
        built: Generations that this call finished.
        tracks: Number of tracks in the dataset.
        records: Number of tracks with features.
        rejects: Number of tracks without features, by cause.
        examples: Cause -> (track_id, message of the decoder).
        removed: Number of catalog rows that are skipped because their tracks were removed.
        same_audio: Number of tracks that share their stored audio with another, and the first such pair.
        hours: Stored audio in hours.
        bytes: Payload bytes per family of the generations that this call finished.
        seconds: Wall time of this call in seconds.
        under_way: Progress of a generation of another catalog, which this call did not touch; None if there is none.
    """

    dataset: str
    built: tuple[int, ...]
    tracks: int
    records: int
    rejects: dict[str, int]
    examples: dict[str, tuple[str, str]]
    removed: int
    same_audio: tuple[int, tuple[str, ...]]
    hours: float
    bytes: dict[Family, int]
    seconds: float
    under_way: str | None


def build(catalog_uri: str, dataset: str, options: BuildOptions | None = None) -> BuildSummary:
    """Decode a catalog into feature shards; the same call again resumes, and adds a generation for new tracks.

    >>> from pipeline import BuildOptions, build
    >>> summary = build("catalog.csv", "data", BuildOptions(workers=1))
    >>> summary.tracks, summary.rejects
    (36, {})

    Args:
        catalog_uri: The catalog: CSV, JSON Lines or Parquet with track_id and uri.
        dataset: Folder of the dataset, new or begun by an earlier call.
        options: Options of the build.

    Raises:
        UserError: the catalog, the folder or the options are wrong, or too many tracks were rejected.
        TagscaleError: the Beam job failed; finished shards are kept.
    """
    options = options or BuildOptions()
    started = time.monotonic()
    check_beam_options(options.beam_options, detach=options.detach)
    if options.decoder == "tfio":
        from pipeline.audio.tfio_engine import check_tfio  # imports TensorFlow, so only on request

        check_tfio()
    catalog = read_catalog(catalog_uri, options.limit)
    layout = Layout(dataset.rstrip("/") or "/")
    open_or_begin(layout, options)  # raises for impossible options before a folder is created
    with writable_folder(layout.root), sole_writer(layout.root):
        return _build(catalog, layout, options, started)


def _build(catalog: Catalog, layout: Layout, options: BuildOptions, started: float) -> BuildSummary:
    dataset = Dataset.of(layout, open_or_begin(layout, options))
    built: list[int] = []
    sizes: collections.Counter[Family] = collections.Counter()
    retry = options.retry_rejects
    changed = None
    left_alone = dataset.under_way is not None and not lists_some_of(
        catalog.table, layout, dataset.under_way.generation
    )
    if dataset.under_way is not None and not left_alone:
        job = job_under_way(dataset, catalog, options)
        if unfinished_shards(job, dataset.under_way.shards):
            retry = "none"  # this very call finds its rejects, so an immediate retry is pointless
        dataset = _finish(job, dataset, catalog, options, retry)
        built.append(job.generation)
        sizes.update(payload_bytes(job, dataset.manifest.generations[-1].shards))
    elif dataset.manifest.generations:
        with Progress("sources", catalog.table.num_rows, "tracks") as progress:
            changed = changed_tracks(dataset, catalog.table, catalog.root, progress.update_of)
    wanted = wanted_tracks(catalog.table, dataset, retry, changed)
    if wanted.num_rows:
        if left_alone:
            raise UserError(_other_catalog_words(dataset, catalog, wanted.num_rows))
        if retry == "none" and options.max_reject_rate < 1:
            spec = logmel_spec_of(dataset.manifest.families)
            preflight(wanted, catalog, spec, options, strict=options.strict)
        dataset = plan_generation(dataset, wanted, options)
        job = job_under_way(dataset, catalog, options)
        dataset = _finish(job, dataset, catalog, options)
        built.append(job.generation)
        sizes.update(payload_bytes(job, dataset.manifest.generations[-1].shards))
    removed = catalog.table.num_rows - not_removed(catalog.table, dataset).num_rows
    return _summary(dataset, catalog, tuple(built), removed, dict(sizes), time.monotonic() - started)


def _other_catalog_words(dataset: Dataset, catalog: Catalog, wanted: int) -> str:
    give_up = pipeline_command("prune", "--dataset", dataset.layout.root, "--unfinished", "--yes")
    return (
        f"{dataset.layout.root}: {dataset.under_way_words()}, of another catalog: {catalog.uri} lists none of its tracks, and "
        f"{wanted:,} that are to be decoded; finish it with the catalog with which it was begun, or give it up with "
        f"`{give_up}`, then build this catalog"
    )


def _finish(job: ShardJob, dataset: Dataset, catalog: Catalog, options: BuildOptions, retry: Retry = "none") -> Dataset:
    """Write the unfinished shards of the generation under way, check the reject rate, and complete the manifest.

    A generation is completed regardless of its rejects if some of them are about to be retried.
    """
    started = time.monotonic()
    layout, entry = job.layout, entry_under_way(dataset)

    removed, plan = read_tombstones(layout)["track_id"].combine_chunks(), PlanReader(job.plan)

    def lost_a_track(shard: int) -> bool:
        return bool(pc.any(pc.is_in(plan.shard(shard)["track_id"], value_set=removed)).as_py())

    if len(removed):
        remove_half_marks(job, entry.shards, lost_a_track)
    shown_by = pipeline_command("status", "--dataset", layout.root)
    counters = run_unfinished(job, entry, "decode", options, shown_by=shown_by)
    with changing(layout):  # a removal comes before and is respected here, or after and finds this generation
        closed, table = close_generation(job, entry)
        manifest = DatasetManifest.read(layout.manifest).with_generation(closed)
        dataset = Dataset.of(layout, manifest)
        purge_again(dataset, closed.generation)
        if not tried_again(catalog.table, dataset, retry):
            give_up = pipeline_command("prune", "--dataset", layout.root, "--unfinished")
            check_reject_rate(dataset, catalog, options.max_reject_rate, f"; `{give_up}` gives up what was added")
        write_atomic(layout.manifest, manifest.to_bytes())
    summary = read_run_times(layout, job.generation)
    if "began_ns" in summary:
        remember_sources(dataset, catalog.table, catalog.root, summary["began_ns"])
    facts = {
        "tracks": table.num_rows,
        "stored_seconds": pc.sum(table["seconds"]).as_py() or 0.0,
        "wall_seconds": round(time.monotonic() - started, 3),
        "counters": added_counters(summary, counters),
    }
    write_run_times(layout, job.generation, {**summary, **facts})
    return dataset


def _summary(
    dataset: Dataset, catalog: Catalog, built: tuple[int, ...], removed: int, sizes: dict[Family, int], seconds: float
) -> BuildSummary:
    newest = dataset.newest_tracks(["cause", "message", "seconds", "flags", "pcm_sha256"])
    rejects = rejects_by_cause(newest)
    same = same_audio(newest)
    return BuildSummary(
        dataset=dataset.layout.root,
        built=built,
        tracks=newest.num_rows,
        records=newest.num_rows - sum(rejects.values()),
        rejects=rejects,
        examples=example_rejects(newest, catalog),
        removed=removed,
        same_audio=(sum(map(len, same)), tuple(same[0][:2]) if same else ()),
        hours=(pc.sum(newest["seconds"]).as_py() or 0.0) / 3600,
        bytes=sizes,
        seconds=seconds,
        under_way=dataset.under_way_words(),
    )
