"""Score a catalog or a dataset with Beam: plan, score, close the generation. The command calls `tag`."""

from __future__ import annotations

import dataclasses
import time

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decode.catalog import Catalog, read_catalog
from pipeline.decode.generations import (
    Retry,
    close_generation,
    lists_some_of,
    payload_bytes,
    tried_again,
    wanted_tracks,
)
from pipeline.decode.planning import entry_under_way
from pipeline.decode.preflight import preflight
from pipeline.decode.reject_rate import check_reject_rate, example_rejects, rejects_by_cause
from pipeline.decode.run_times import added_counters, read_run_times, write_run_times
from pipeline.decode.shard_runs import run_unfinished
from pipeline.decode.sources import changed_tracks, remember_sources
from pipeline.jobs.beam_options import check_beam_options
from pipeline.jobs.shard_job import unfinished_shards
from pipeline.jobs.writable_folder import writable_folder
from pipeline.removal.tagged import erase_again, register_tags
from pipeline.tagging.head_shards import HeadShardJob
from pipeline.tagging.kept_embeddings import register_beside, tags_with_embeddings, take_out_too
from pipeline.tagging.model_files import ServedModel, head_sha256, read_model, runtime_for
from pipeline.tagging.model_rejects import check_model_rejects
from pipeline.tagging.options import TagOptions
from pipeline.tagging.planning import (
    Source,
    job_under_way,
    open_or_begin,
    plan_of_catalog,
    plan_of_source,
    plan_tags,
)
from pipeline.tagging.shards import TagShardJob
from schemas.console.errors import UserError
from schemas.console.progress import Progress
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.features import logmel_over
from schemas.sole_writer import changing, sole_writer
from schemas.storage.files import write_atomic
from schemas.tags import Tags, TagsLayout, TagsManifest


@dataclasses.dataclass(frozen=True)
class TagSummary:
    """Results of a tagging and the contents of the folder after it.

    Attributes:
        out: Folder of the tags.
        model: Folder of the model.
        tags: Number of tags that it scores.
        embedding: Number of values of each stored embedding; 0 if none is stored.
        embeddings: Folder of the tags whose embeddings were kept; None if the whole model ran.
        built: Generations that this call finished.
        tracks: Number of tracks in the folder.
        records: Number of tracks with scores.
        rejects: Number of tracks without scores, by cause.
        examples: Cause -> (track_id, message).
        hours: Scored audio in hours.
        bytes: Size of the scores that this call finished.
        seconds: Wall time of this call in seconds.
    """

    out: str
    model: str
    tags: int
    embedding: int
    embeddings: str | None
    built: tuple[int, ...]
    tracks: int
    records: int
    rejects: dict[str, int]
    examples: dict[str, tuple[str, str]]
    hours: float
    bytes: int
    seconds: float


def tag(
    model_uri: str,
    out: str,
    *,
    catalog: str | None = None,
    dataset: str | None = None,
    embeddings: str | None = None,
    options: TagOptions | None = None,
) -> TagSummary:
    """Score every track of a catalog, of a dataset from its stored features, or of other tags from their embeddings.

    The same call again resumes, and adds a generation for new tracks.

    >>> from pipeline import TagOptions, tag
    >>> summary = tag("runs/a/saved_model", "heard", dataset="data", options=TagOptions(workers=1))
    >>> summary.records, summary.rejects
    (36, {})

    Args:
        model_uri: Folder of a SavedModel or an ONNX model that `export` wrote.
        out: Folder of the tags, new or begun by an earlier call.
        catalog: The catalog, whose audio is decoded; or
        dataset: the dataset, of which nothing is decoded; or
        embeddings: folder of tags by a model with the same trunk, whose embeddings are kept: only the head runs.
        options: Options of the tagging.

    Raises:
        UserError: The model, the inputs, the folder or the options are wrong, or too many tracks were rejected.
        TagscaleError: The Beam job failed; finished shards are kept.
    """
    options, started = options or TagOptions(), time.monotonic()
    if [catalog, dataset, embeddings].count(None) != 2:
        raise UserError(
            "expected either --catalog, whose audio is decoded, or --dataset, whose stored features are read, or --embeddings, "
            "tags whose embeddings are kept"
        )
    check_beam_options(options.beam_options, detach=options.detach)
    source: Source
    runtime = options.runtime
    if embeddings is not None:
        options.require_for_stored("--embeddings")
        source = tags_with_embeddings(embeddings)
        runtime = runtime if runtime == "onnx" else runtime_for(model_uri)  # nothing runs it
    elif dataset is not None:
        options.require_for_stored("--dataset")
        source = Dataset.open(dataset)
    else:
        source = read_catalog(str(catalog), options.limit)
    model = read_model(model_uri, runtime)
    if isinstance(source, Tags):
        head_sha256(model)  # raises for a model without
    layout = TagsLayout(out.rstrip("/") or "/")
    open_or_begin(layout, model, source, options)  # raises for impossible inputs before a folder is created
    with writable_folder(layout.root), sole_writer(layout.root, "folder of tags"):
        return _Tagging(model, source, layout, options, started).run()


class _Tagging:
    """One call of `tag`, which holds the lock of its folder."""

    def __init__(
        self, model: ServedModel, source: Source, layout: TagsLayout, options: TagOptions, started: float
    ) -> None:
        self._model, self._source, self._layout, self._options = model, source, layout, options
        self._started = started
        self._built: list[int] = []
        self._bytes = 0

    def run(self) -> TagSummary:
        tags = Tags.of(self._layout, open_or_begin(self._layout, self._model, self._source, self._options))
        if isinstance(self._source, Catalog):
            return self._summary(self._tag_catalog(tags, self._source))
        if isinstance(self._source, Dataset):
            register_tags(self._source.layout, self._layout.root)
            return self._summary(self._tag_stored(tags, self._source))
        register_beside(self._source, self._layout.root)
        tags = self._tag_stored(tags, self._source)
        take_out_too(tags, self._source)
        return self._summary(tags)

    def _tag_stored(self, tags: Tags, source: Dataset | Tags) -> Tags:
        """Score each generation of a dataset, or of other tags, that is not scored yet."""
        if tags.under_way is not None:
            tags = self._finish(tags)
        for entry in source.manifest.generations[len(tags.manifest.generations) :]:
            tags = self._finish(plan_tags(tags, plan_of_source(source, entry.generation), self._options))
        return tags

    def _tag_catalog(self, tags: Tags, catalog: Catalog) -> Tags:
        options, retry, changed = self._options, self._options.retry_rejects, None
        if tags.under_way is not None:
            if not lists_some_of(catalog.table, tags.layout, tags.under_way.generation):
                raise UserError(
                    f"{tags.layout.root}: {tags.under_way_words()}, of another catalog: {catalog.uri} lists none of its "
                    "tracks; finish it with the catalog with which it was begun, or name another --out"
                )
            job = job_under_way(tags, self._model, catalog, options)
            if unfinished_shards(job, tags.under_way.shards):
                retry = "none"  # this very call finds its rejects, so an immediate retry is pointless
            tags = self._finish(tags, retry)
        elif tags.manifest.generations:
            with Progress("sources", catalog.table.num_rows, "tracks") as progress:
                changed = changed_tracks(tags, catalog.table, catalog.root, progress.update_of)
        wanted = wanted_tracks(catalog.table, tags, retry, changed)
        if wanted.num_rows:
            if retry == "none" and options.max_reject_rate < 1:
                preflight(wanted, catalog, logmel_over(tags.manifest.spec), options, strict=False)
            tags = self._finish(plan_tags(tags, plan_of_catalog(wanted, tags, options), options))
        return tags

    def _finish(self, tags: Tags, retry: Retry = "none") -> Tags:
        """Write the unfinished shards of the generation under way, check the reject rate, and complete the manifest."""
        started = time.monotonic()
        job = job_under_way(tags, self._model, self._source, self._options)
        entry = entry_under_way(tags)
        shown_by = pipeline_command("status", "--tags", self._layout.root)
        counters = run_unfinished(job, entry, "tag", self._options, shown_by=shown_by)
        with changing(self._layout):
            closed, table = close_generation(job, entry)
            manifest = TagsManifest.read(self._layout.manifest).with_generation(closed)
            tags = Tags.of(self._layout, manifest)
            erase_again(tags, closed.generation)
            self._check_rejects(tags, retry)
            write_atomic(self._layout.manifest, manifest.to_bytes())
        self._note_times(tags, job, table, time.monotonic() - started, counters)
        self._built.append(job.generation)
        self._bytes += sum(payload_bytes(job, closed.shards).values())
        return tags

    def _check_rejects(self, tags: Tags, retry: Retry) -> None:
        if not isinstance(self._source, Catalog):
            check_model_rejects(tags, self._options.max_reject_rate)  # the others were accepted when they were built
        elif not tried_again(self._source.table, tags, retry):
            check_reject_rate(tags, self._source, self._options.max_reject_rate)

    def _note_times(
        self,
        tags: Tags,
        job: TagShardJob | HeadShardJob,
        table: pa.Table,
        seconds: float,
        counters: dict[str, int],
    ) -> None:
        summary = read_run_times(self._layout, job.generation)
        if isinstance(self._source, Catalog) and "began_ns" in summary:
            remember_sources(tags, self._source.table, self._source.root, summary["began_ns"])
        facts = {
            "tracks": table.num_rows,
            "scored_seconds": pc.sum(table["seconds"]).as_py() or 0.0,
            "wall_seconds": round(seconds, 3),
            "counters": added_counters(summary, counters),
        }
        write_run_times(self._layout, job.generation, {**summary, **facts})

    def _summary(self, tags: Tags) -> TagSummary:
        newest = tags.newest_tracks(["cause", "message", "seconds"])
        rejects = rejects_by_cause(newest)
        catalog = self._source if isinstance(self._source, Catalog) else None
        return TagSummary(
            out=tags.layout.root,
            model=self._model.uri,
            tags=len(tags.manifest.model.tags),
            embedding=tags.manifest.model.embedding if tags.manifest.embeddings else 0,
            embeddings=self._source.layout.root if isinstance(self._source, Tags) else None,
            built=tuple(self._built),
            tracks=newest.num_rows,
            records=newest.num_rows - sum(rejects.values()),
            rejects=rejects,
            examples=example_rejects(newest, catalog),
            hours=(pc.sum(newest["seconds"]).as_py() or 0.0) / 3600,
            bytes=self._bytes,
            seconds=time.monotonic() - self._started,
        )
