"""Open or begin a dataset, plan a new generation, and resume the one under way."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import pyarrow as pa

from pipeline.audio.limits import MAX_SECONDS
from pipeline.decode.catalog import Catalog
from pipeline.decode.options import DEFAULT_EXCERPT, BuildOptions
from pipeline.decode.run_times import write_run_times
from pipeline.decode.shards import ShardJob
from pipeline.jobs.plan import plan_tracks, shard_count
from pipeline.jobs.versions import check_versions, feature_versions
from schemas.console.errors import UserError
from schemas.dataset import Dataset, outdated_words
from schemas.dataset_manifest import DatasetManifest
from schemas.features import FAMILIES, Excerpt, Family, FeatureSpec, specs_for, waveform_of
from schemas.generations import Generations
from schemas.layout import MANIFEST_NAME, Layout, generation_name
from schemas.manifests import GenerationEntry, GenerationsManifest
from schemas.plan_file import PlanReader, plan_bytes
from schemas.sole_writer import changing
from schemas.storage.files import is_remote, write_atomic, write_if_absent
from schemas.storage.output_folders import require_empty_or

_Manifest = TypeVar("_Manifest", bound=GenerationsManifest)


def open_or_begin(layout: Layout, options: BuildOptions) -> DatasetManifest:
    """The manifest of a dataset to which these options can add, or of a new one, which is not written yet.

    Raises:
        UserError: the folder holds other files, or a dataset with other features.
        DatasetError: its manifest is damaged.
    """
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
    return waveform_of(next(iter(families.values()))).excerpt


def plan_generation(dataset: Dataset, wanted: pa.Table, options: BuildOptions) -> Dataset:
    """Plan a generation of the given catalog rows; returns the dataset with it under way."""
    layout, manifest = dataset.layout, dataset.manifest
    excerpt = Excerpt.parse(_excerpt_of(manifest.families))
    shards = options.shards or shard_count(wanted["duration"].to_pylist(), excerpt)
    plan = plan_tracks(wanted, shards)
    versions = feature_versions(options.decoder)
    facts = {"strict": options.strict, "max_seconds": options.max_seconds}
    return Dataset.of(layout, begin_generation(layout, manifest, plan, versions, facts))


def begin_generation(
    layout: Layout, manifest: _Manifest, plan: pa.Table, versions: dict[str, str], facts: dict[str, Any]
) -> _Manifest:
    """Write the plan of the next generation, and the manifest with it under way, which is returned.

    Args:
        layout: Paths of a dataset or of tags.
        manifest: Their manifest, whose generations are all complete.
        plan: A table of schema PLAN.
        versions: Library versions and CPU type with which it is planned.
        facts: Options that have to be the same when the generation is resumed.
    """
    generation = len(manifest.generations)
    if generation == 0:  # written first, so that a command that is killed now leaves a manifest
        write_atomic(layout.manifest, manifest.to_bytes())
    with changing(layout):
        metadata = {"generation": generation, "versions": versions, **facts}
        _write_plan(layout.plan(generation), plan_bytes(plan, metadata))
        write_run_times(layout, generation, {"began_ns": time.time_ns()})
        entry = GenerationEntry(generation, shards=plan["shard"][-1].as_py() + 1, tracks=plan.num_rows)
        begun = type(manifest).read(layout.manifest).with_generation(entry, versions)
        write_atomic(layout.manifest, begun.to_bytes())
    return begun


def _write_plan(uri: str, data: bytes) -> None:
    """Write a plan that no manifest names yet.

    There may already be one from a build that was killed before it wrote the manifest. On a local disk no other build can be
    running now, so it is replaced; in a bucket one may be.
    """
    if write_if_absent(uri, data):
        return
    if is_remote(uri):
        raise UserError(
            f"{uri}: another build with another catalog has planned this generation; wait until it has ended, or remove "
            "this file if there is none"
        )
    write_atomic(uri, data)


def entry_under_way(dataset: Generations) -> GenerationEntry:
    """The generation under way of a dataset, or of tags, that have one."""
    if dataset.under_way is None:
        raise ValueError(f"Expected a generation under way in {dataset.layout.root}.")
    return dataset.under_way


def job_under_way(dataset: Dataset, catalog: Catalog, options: BuildOptions) -> ShardJob:
    """The job of the generation under way, after checking that it can be resumed here.

    Raises:
        UserError: it was started with other options or library versions.
        DatasetError: its plan is damaged.
    """
    layout, entry = dataset.layout, entry_under_way(dataset)
    metadata = PlanReader(layout.plan(entry.generation)).metadata
    begun_strict = metadata.get("strict", False)  # an older plan lacks it
    if begun_strict != options.strict:
        how = "with" if begun_strict else "without"
        raise UserError(
            f"{layout.root}: {generation_name(entry.generation)} was begun {how} --strict; continue {how} it"
        )
    begun_seconds = metadata.get("max_seconds", MAX_SECONDS)
    if begun_seconds != options.max_seconds:
        raise UserError(
            f"{layout.root}: {generation_name(entry.generation)} was begun with --max-seconds {begun_seconds:g}, received "
            f"{options.max_seconds:g}; continue with the first"
        )
    what = f"{layout.root}: {generation_name(entry.generation)}"
    check_versions(
        what, metadata["versions"], feature_versions(options.decoder), allow_others=options.allow_other_versions
    )
    return ShardJob(
        dataset=layout.root,
        generation=entry.generation,
        families=dataset.manifest.families,
        audio_root=catalog.root,
        decoder=options.decoder,
        strict=options.strict,
        max_seconds=options.max_seconds,
    )
