"""Build a dataset from a catalog: plan, decode with Beam, close the generation. `build` is what the command calls."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audio.engines import Decoder
from pipeline.build.generations import Retry, close_generation, example_rejects, payload_bytes, wanted_tracks
from pipeline.build.runner import run_shards, unfinished_shards
from pipeline.build.shards import ShardJob
from pipeline.catalog import Catalog, read_catalog
from pipeline.plan import PlanReader, plan_bytes, plan_tracks, shard_count
from pipeline.versions import feature_versions
from schemas.dataset import Dataset
from schemas.errors import UserError
from schemas.features import FAMILIES, Excerpt, Family, FeatureSpec, WaveformSpec, specs_for
from schemas.layout import MANIFEST_NAME, Layout, generation_name
from schemas.manifests import DatasetManifest, GenerationEntry, to_json
from schemas.progress import Progress
from schemas.storage import make_folder, require_empty_or, write_atomic

DEFAULT_EXCERPT = "center:30"
MAX_REJECT_RATE = 0.05


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """Options of a build; see `pipeline.run build --help`.

    Attributes:
        workers: local worker processes; None for one per core.
        shards: of a new generation; None to choose by size.
        limit: read the catalog's first rows only.
        excerpt: None for the dataset's own, or center:30 for a new dataset.
        families: None for the dataset's own, or both for a new dataset.
        decoder: the decoder engine.
        retry_rejects: which rejects of earlier generations are tried again.
        max_reject_rate: largest share of the dataset's tracks that may be without a record.
        allow_other_versions: resume a generation that was planned with other library versions.
        beam_options: options for Beam; without --runner the job runs here.
    """

    workers: int | None = None
    shards: int | None = None
    limit: int | None = None
    excerpt: str | None = None
    families: tuple[Family, ...] | None = None
    decoder: Decoder = "auto"
    retry_rejects: Retry = "none"
    max_reject_rate: float = MAX_REJECT_RATE
    allow_other_versions: bool = False
    beam_options: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("shards", 1), ("limit", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"--{name}: expected at least {least}, received {value}")
        if not 0 <= self.max_reject_rate <= 1:
            raise UserError(f"--max-reject-rate: expected a share from 0 to 1, received {self.max_reject_rate}")
        if self.families is not None and (not self.families or set(self.families) - set(FAMILIES)):
            raise UserError(
                f"--families: expected {','.join(FAMILIES)} or one of them, received {','.join(self.families)}"
            )


@dataclasses.dataclass(frozen=True)
class BuildSummary:
    """What a build did and what the dataset now holds.

    Attributes:
        dataset: its folder.
        built: generations that this call finished.
        tracks: in the dataset.
        records: tracks with features.
        rejects: tracks without, by cause.
        examples: cause -> (track_id, the decoder's words).
        hours: stored audio, in hours.
        bytes: payload bytes per family, of the generations that this call finished.
        seconds: wall time of this call.
    """

    dataset: str
    built: tuple[int, ...]
    tracks: int
    records: int
    rejects: dict[str, int]
    examples: dict[str, tuple[str, str]]
    hours: float
    bytes: dict[Family, int]
    seconds: float


def build(catalog_uri: str, dataset: str, options: BuildOptions | None = None) -> BuildSummary:
    """Decode a catalog into feature shards; the same call again resumes, and adds a generation for new tracks.

    Args:
        catalog_uri: the catalog.
        dataset: folder of the dataset, new or begun by an earlier call.
        options: see `BuildOptions`.

    Raises:
        UserError: the catalog, the folder or the options are wrong, or too many tracks were rejected.
        TagscaleError: the Beam job failed; what is finished stays.
    """
    options = options or BuildOptions()
    started = time.monotonic()
    if options.decoder == "tfio":
        from pipeline.audio.tfio_engine import check_tfio  # imports TensorFlow, so only where it is asked for

        check_tfio()
    catalog = read_catalog(catalog_uri, options.limit)
    layout = Layout(dataset.rstrip("/") or "/")
    manifest = _open_or_begin(layout, options)
    built: list[int] = []
    sizes: collections.Counter[Family] = collections.Counter()
    retry = options.retry_rejects
    if manifest.generations and not manifest.generations[-1].complete:
        job = _job(layout, manifest, catalog, options)
        if unfinished_shards(job, manifest.generations[-1].shards):
            retry = "none"  # its rejects are found by this very call: trying them again at once is no second chance
        manifest = _finish(job, manifest, options, gate=retry == "none")
        built.append(job.generation)
        sizes.update(payload_bytes(job, manifest.generations[-1].shards))
    wanted = wanted_tracks(catalog.table, Dataset(layout, manifest), retry)
    if wanted.num_rows:
        manifest = _plan(layout, manifest, wanted, options)
        job = _job(layout, manifest, catalog, options)
        manifest = _finish(job, manifest, options, gate=True)
        built.append(job.generation)
        sizes.update(payload_bytes(job, manifest.generations[-1].shards))
    return _summary(Dataset(layout, manifest), tuple(built), dict(sizes), time.monotonic() - started)


def _open_or_begin(layout: Layout, options: BuildOptions) -> DatasetManifest:
    if not require_empty_or(layout.root, MANIFEST_NAME, "a dataset"):
        families = specs_for(options.families or FAMILIES, options.excerpt or DEFAULT_EXCERPT)
        manifest = DatasetManifest(families=families, generations=(), versions={})
        make_folder(layout.root)
        write_atomic(layout.manifest, manifest.to_bytes())
        return manifest
    manifest = DatasetManifest.read(layout.manifest)
    held = tuple(manifest.families)
    asked = specs_for(options.families or held, options.excerpt or _excerpt_of(manifest.families))
    for family, spec in asked.items():
        if family not in manifest.families:
            raise UserError(
                f"{layout.root}: holds {' and '.join(held)} only; --families {family} needs a dataset of its own"
            )
        if spec.fingerprint != manifest.families[family].fingerprint:
            raise UserError(
                f"{layout.root}: holds --excerpt {_excerpt_of(manifest.families)}, received --excerpt "
                f"{options.excerpt}; use the dataset's own or another folder"
            )
    return manifest


def _excerpt_of(families: dict[Family, FeatureSpec]) -> str:
    spec = next(iter(families.values()))
    return spec.excerpt if isinstance(spec, WaveformSpec) else spec.waveform.excerpt


def _plan(layout: Layout, manifest: DatasetManifest, wanted: pa.Table, options: BuildOptions) -> DatasetManifest:
    generation = len(manifest.generations)
    excerpt = Excerpt.parse(_excerpt_of(manifest.families))
    shards = options.shards or shard_count(wanted["duration"].to_pylist(), excerpt)
    plan = plan_tracks(wanted, shards)
    versions = feature_versions(options.decoder)
    count = plan["shard"][-1].as_py() + 1
    write_atomic(layout.plan(generation), plan_bytes(plan, {"generation": generation, "versions": versions}))
    manifest = manifest.with_generation(GenerationEntry(generation, shards=count, tracks=plan.num_rows), versions)
    write_atomic(layout.manifest, manifest.to_bytes())
    return manifest


def _job(layout: Layout, manifest: DatasetManifest, catalog: Catalog, options: BuildOptions) -> ShardJob:
    """The job of the last generation, once it is sure that it may be resumed here."""
    entry = manifest.generations[-1]
    planned = PlanReader(layout.plan(entry.generation)).metadata["versions"]
    here = feature_versions(options.decoder)
    if planned != here and not options.allow_other_versions:
        differences = ", ".join(
            f"{name} {planned.get(name, 'absent')} -> {here.get(name, 'absent')}"
            for name in sorted({*planned, *here})
            if planned.get(name) != here.get(name)
        )
        raise UserError(
            f"{layout.root}: {generation_name(entry.generation)} was begun with other versions ({differences}), so its "
            "shards would not agree to the last bit; go on with those, or pass --allow-other-versions"
        )
    return ShardJob(layout.root, entry.generation, manifest.families, catalog.root, options.decoder)


def _finish(job: ShardJob, manifest: DatasetManifest, options: BuildOptions, *, gate: bool) -> DatasetManifest:
    """Write the unfinished shards of the last generation, check the reject rate, and complete the manifest.

    Without `gate` a generation is completed whatever its rejects: they are about to be tried again.
    """
    started = time.monotonic()
    layout, entry = job.layout, manifest.generations[-1]

    def tracks_in(shards_done: int) -> int:
        return entry.tracks * shards_done // entry.shards

    with Progress("decode", entry.tracks, "tracks") as progress:
        progress.start_at(tracks_in(entry.shards - len(unfinished_shards(job, entry.shards))))
        run_shards(
            job,
            entry.shards,
            workers=options.workers,
            beam_options=options.beam_options,
            on_progress=lambda done: progress.update(tracks_in(done)),
        )
    closed, table = close_generation(job, manifest)
    manifest = manifest.with_generation(closed)
    if gate:
        _check_reject_rate(Dataset(layout, manifest), options.max_reject_rate)
    write_atomic(layout.manifest, manifest.to_bytes())
    _write_run_summary(layout, job.generation, table, time.monotonic() - started)
    return manifest


def _check_reject_rate(dataset: Dataset, most: float) -> None:
    """Raise UserError if more of the dataset's tracks are without a record than a build accepts.

    The whole dataset counts and not the newest generation alone, so that one track that comes later and is bad, or is
    tried again in vain, does not stop a build that accepts some.
    """
    newest = dataset.newest_tracks()
    rejects = _rejects_by_cause(newest)
    rejected = sum(rejects.values())
    if rejected <= most * newest.num_rows:
        return
    causes = "; ".join(
        f"{rejects[cause]} {cause}, such as {track}: {message}"
        for cause, (track, message) in example_rejects(newest).items()
    )
    raise UserError(
        f"{dataset.layout.root}: {rejected} of {newest.num_rows} tracks were rejected, more than --max-reject-rate {most:g} "
        f"allows ({causes}); mend the catalog or the audio and try those tracks again with --retry-rejects all, or accept "
        "them with a higher --max-reject-rate"
    )


def _rejects_by_cause(tracks: pa.Table) -> dict[str, int]:
    causes = tracks["cause"].filter(pc.is_valid(tracks["cause"]))
    return dict(sorted(collections.Counter(causes.to_pylist()).items()))


def _summary(dataset: Dataset, built: tuple[int, ...], sizes: dict[Family, int], seconds: float) -> BuildSummary:
    newest = dataset.newest_tracks()
    rejects = _rejects_by_cause(newest)
    return BuildSummary(
        dataset=dataset.layout.root,
        built=built,
        tracks=newest.num_rows,
        records=newest.num_rows - sum(rejects.values()),
        rejects=rejects,
        examples=example_rejects(newest),
        hours=(pc.sum(newest["seconds"]).as_py() or 0.0) / 3600,
        bytes=sizes,
        seconds=seconds,
    )


def _write_run_summary(layout: Layout, generation: int, table: pa.Table, seconds: float) -> None:
    """Times and counters of a finished generation; not part of what must be the same between two builds."""
    summary: dict[str, Any] = {
        "generation": generation,
        "tracks": table.num_rows,
        "stored_seconds": pc.sum(table["seconds"]).as_py() or 0.0,
        "wall_seconds": round(seconds, 3),
    }
    write_atomic(layout.run_summary(f"build-{generation_name(generation)}"), to_json(summary))
