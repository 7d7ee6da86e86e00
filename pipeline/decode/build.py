"""Build a dataset from a catalog: plan, decode with Beam, close the generation. `build` is what the command calls."""

from __future__ import annotations

import collections
import dataclasses
import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audio.limits import MAX_SECONDS
from pipeline.catalog import Catalog, read_catalog
from pipeline.decode.generations import close_generation, not_removed, payload_bytes, wanted_tracks
from pipeline.decode.jobs import unfinished_shards
from pipeline.decode.options import DEFAULT_EXCERPT, BuildOptions
from pipeline.decode.reject_rate import (
    PREFLIGHT_EXCERPT,
    check_preflight,
    check_reject_rate,
    example_rejects,
    preflight_size,
    rejects_by_cause,
)
from pipeline.decode.runner import run_shards
from pipeline.decode.shards import ShardJob
from pipeline.decode.sources import changed_tracks, remember_sources
from pipeline.plan import PlanReader, plan_bytes, plan_tracks, shard_count
from pipeline.sample import decode_sample, sample_catalog
from pipeline.versions import check_versions, feature_versions
from pipeline.writable_folder import writable_folder
from schemas.dataset import Dataset, outdated_words, same_audio
from schemas.errors import UserError
from schemas.features import FAMILIES, Excerpt, Family, FeatureSpec, WaveformSpec, logmel_spec_of, specs_for
from schemas.json_object import parse_json_object
from schemas.layout import MANIFEST_NAME, Layout, generation_name
from schemas.manifests import DatasetManifest, GenerationEntry, to_json
from schemas.progress import Progress
from schemas.sole_writer import sole_writer
from schemas.storage import (
    exists,
    is_remote,
    read_bytes,
    require_empty_or,
    write_atomic,
    write_if_absent,
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
        removed: rows of the catalog that are left out, since their tracks were removed.
        same_audio: tracks whose stored audio is also another's: how many, and the first such pair.
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
    removed: int
    same_audio: tuple[int, tuple[str, ...]]
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
    _open_or_begin(layout, options)  # what cannot be is said before a folder is made
    with writable_folder(layout.root), sole_writer(layout.root):
        return _build(catalog, layout, options, started)


def _build(catalog: Catalog, layout: Layout, options: BuildOptions, started: float) -> BuildSummary:
    manifest = _open_or_begin(layout, options)
    built: list[int] = []
    sizes: collections.Counter[Family] = collections.Counter()
    retry = options.retry_rejects
    changed = None
    if manifest.generations and not manifest.generations[-1].complete:
        job = _job(layout, manifest, catalog, options)
        if unfinished_shards(job, manifest.generations[-1].shards):
            retry = "none"  # its rejects are found by this very call: trying them again at once is no second chance
        manifest = _finish(job, manifest, catalog, options, gate=retry == "none")
        built.append(job.generation)
        sizes.update(payload_bytes(job, manifest.generations[-1].shards))
    elif manifest.generations:
        with Progress("sources", catalog.table.num_rows, "tracks") as progress:
            changed = changed_tracks(Dataset(layout, manifest), catalog.table, catalog.root, progress.update_of)
    wanted = wanted_tracks(catalog.table, Dataset(layout, manifest), retry, changed)
    if wanted.num_rows:
        if retry == "none" and options.max_reject_rate < 1:
            _preflight(wanted, manifest, catalog, options)
        manifest = _plan(layout, manifest, wanted, options)
        job = _job(layout, manifest, catalog, options)
        manifest = _finish(job, manifest, catalog, options, gate=True)
        built.append(job.generation)
        sizes.update(payload_bytes(job, manifest.generations[-1].shards))
    removed = catalog.table.num_rows - not_removed(catalog.table, Dataset(layout, manifest)).num_rows
    return _summary(Dataset(layout, manifest), tuple(built), removed, dict(sizes), time.monotonic() - started)


def _open_or_begin(layout: Layout, options: BuildOptions) -> DatasetManifest:
    if not require_empty_or(layout.root, MANIFEST_NAME, "a dataset"):
        families = specs_for(options.families or FAMILIES, options.excerpt or DEFAULT_EXCERPT)
        return DatasetManifest(families=families, generations=(), versions={})
    manifest = DatasetManifest.read(layout.manifest)
    if words := outdated_words(manifest.families):
        raise UserError(f"{layout.root}: {words}")
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


def _preflight(wanted: pa.Table, manifest: DatasetManifest, catalog: Catalog, options: BuildOptions) -> None:
    """Try a few tracks, so that input that is plainly wrong stops a build before it starts."""
    sample = sample_catalog(wanted, preflight_size(wanted.num_rows), seed=0)
    spec = logmel_spec_of(manifest.families)
    if not options.strict:  # whether a file can be decoded shows at its start; whether all of it can, only at its end
        spec = dataclasses.replace(spec, waveform=dataclasses.replace(spec.waveform, excerpt=PREFLIGHT_EXCERPT))
    tried = decode_sample(
        sample, catalog.root, spec, options.decoder, strict=options.strict, max_seconds=options.max_seconds
    )
    check_preflight(
        catalog.uri, ((track.track_id, track.cause, track.message) for track in tried), options.max_reject_rate
    )


def _plan(layout: Layout, manifest: DatasetManifest, wanted: pa.Table, options: BuildOptions) -> DatasetManifest:
    generation = len(manifest.generations)
    excerpt = Excerpt.parse(_excerpt_of(manifest.families))
    shards = options.shards or shard_count(wanted["duration"].to_pylist(), excerpt)
    plan = plan_tracks(wanted, shards)
    versions = feature_versions(options.decoder)
    count = plan["shard"][-1].as_py() + 1
    metadata = {
        "generation": generation,
        "versions": versions,
        "strict": options.strict,
        "max_seconds": options.max_seconds,
    }
    if generation == 0:  # first of all, so that a build that is killed now has begun a dataset
        write_atomic(layout.manifest, manifest.to_bytes())
    _write_plan(layout.plan(generation), plan_bytes(plan, metadata))
    _write_run_summary(layout, generation, {"began_ns": time.time_ns()})
    manifest = manifest.with_generation(GenerationEntry(generation, shards=count, tracks=plan.num_rows), versions)
    write_atomic(layout.manifest, manifest.to_bytes())
    return manifest


def _write_plan(uri: str, data: bytes) -> None:
    """Write a plan that no manifest names yet.

    One may be there, of a build that was killed before it wrote the manifest. On a local disk no other build runs now,
    so it is replaced; in a bucket one may.
    """
    if write_if_absent(uri, data):
        return
    if is_remote(uri):
        raise UserError(
            f"{uri}: another build with another catalog has planned this generation; wait until it has ended, or remove "
            "this file if there is none"
        )
    write_atomic(uri, data)


def _job(layout: Layout, manifest: DatasetManifest, catalog: Catalog, options: BuildOptions) -> ShardJob:
    """The job of the last generation, once it is sure that it may be resumed here."""
    entry = manifest.generations[-1]
    metadata = PlanReader(layout.plan(entry.generation)).metadata
    begun_strict = metadata.get("strict", False)  # an older plan does not say
    if begun_strict != options.strict:
        how = "with" if begun_strict else "without"
        raise UserError(f"{layout.root}: {generation_name(entry.generation)} was begun {how} --strict; go on {how} it")
    begun_seconds = metadata.get("max_seconds", MAX_SECONDS)
    if begun_seconds != options.max_seconds:
        raise UserError(
            f"{layout.root}: {generation_name(entry.generation)} was begun with --max-seconds {begun_seconds:g}, received "
            f"{options.max_seconds:g}; go on with the first"
        )
    what = f"{layout.root}: {generation_name(entry.generation)}"
    check_versions(
        what, metadata["versions"], feature_versions(options.decoder), allow_others=options.allow_other_versions
    )
    return ShardJob(
        dataset=layout.root,
        generation=entry.generation,
        families=manifest.families,
        audio_root=catalog.root,
        decoder=options.decoder,
        strict=options.strict,
        max_seconds=options.max_seconds,
    )


def _finish(
    job: ShardJob, manifest: DatasetManifest, catalog: Catalog, options: BuildOptions, *, gate: bool
) -> DatasetManifest:
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
        check_reject_rate(Dataset(layout, manifest), options.max_reject_rate)
    write_atomic(layout.manifest, manifest.to_bytes())
    summary = read_run_summary(layout, job.generation)
    if "began_ns" in summary:
        remember_sources(Dataset(layout, manifest), catalog.table, catalog.root, summary["began_ns"])
    facts = {
        "tracks": table.num_rows,
        "stored_seconds": pc.sum(table["seconds"]).as_py() or 0.0,
        "wall_seconds": round(time.monotonic() - started, 3),
    }
    _write_run_summary(layout, job.generation, {**summary, **facts})
    return manifest


def _summary(
    dataset: Dataset, built: tuple[int, ...], removed: int, sizes: dict[Family, int], seconds: float
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
        examples=example_rejects(newest),
        removed=removed,
        same_audio=(sum(map(len, same)), tuple(same[0][:2]) if same else ()),
        hours=(pc.sum(newest["seconds"]).as_py() or 0.0) / 3600,
        bytes=sizes,
        seconds=seconds,
    )


def read_run_summary(layout: Layout, generation: int) -> dict[str, Any]:
    """Times and counters of a generation; empty if they were lost or damaged, which harms nothing."""
    uri = layout.run_summary(f"build-{generation_name(generation)}")
    try:
        return parse_json_object(read_bytes(uri)) if exists(uri) else {}
    except ValueError:
        return {}


def _write_run_summary(layout: Layout, generation: int, facts: dict[str, Any]) -> None:
    """Not part of what must be the same between two builds."""
    uri = layout.run_summary(f"build-{generation_name(generation)}")
    write_atomic(uri, to_json({"generation": generation, **facts}))
