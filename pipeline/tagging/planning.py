"""Open or begin tags, plan a generation of them, and resume the one under way."""

from __future__ import annotations

import importlib.metadata

import pyarrow as pa

from pipeline.decode.catalog import Catalog
from pipeline.decode.planning import begin_generation, entry_under_way
from pipeline.jobs.plan import plan_tracks, shard_count
from pipeline.jobs.versions import check_versions, feature_versions
from pipeline.tagging.head_shards import HeadShardJob
from pipeline.tagging.kept_embeddings import check_same_embeddings, embeddings_entry
from pipeline.tagging.model_files import Runtime, ServedModel, head_sha256
from pipeline.tagging.options import TagOptions
from pipeline.tagging.shards import TagShardJob
from schemas.console.errors import UserError
from schemas.console.interpreter import install_advice
from schemas.dataset import Dataset
from schemas.features import Excerpt, FeatureSpec, features_name, waveform_of, with_excerpt
from schemas.layout import generation_name
from schemas.plan_file import PlanReader
from schemas.storage.files import absolute
from schemas.storage.output_folders import require_empty_or
from schemas.tables import PLAN
from schemas.tags import TAGS_NAME, SourceEntry, Tags, TagsLayout, TagsManifest

# The packages, one of which runs the model, and the extras that they come with.
_RUNTIMES: dict[Runtime, tuple[str, ...]] = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "onnx": ("onnxruntime",)}
_EXTRAS: dict[Runtime, str] = {"tensorflow": "train", "onnx": "onnx"}


Source = Catalog | Dataset | Tags  # audio, stored features, or the tags whose embeddings are kept


def open_or_begin(layout: TagsLayout, model: ServedModel, source: Source, options: TagOptions) -> TagsManifest:
    """The manifest of tags to which these inputs can add, or of new ones, which is not written yet.

    Raises:
        UserError: The folder holds other files, or tags by another model or of other inputs.
        DatasetError: Its manifest is damaged.
    """
    begun = require_empty_or(layout.root, TAGS_NAME, "tags")
    held = TagsManifest.read(layout.manifest) if begun else None
    excerpt = options.excerpt or (waveform_of(held.spec).excerpt if held is not None else "full")
    spec: FeatureSpec
    if isinstance(source, Tags):
        spec, entry = source.manifest.spec, embeddings_entry(source, model)
    elif isinstance(source, Dataset):
        spec = _stored_spec(source, model.spec)
        entry = SourceEntry("dataset", absolute(source.layout.root))
    else:
        spec = with_excerpt(model.spec, excerpt)
        entry = SourceEntry("catalog", absolute(source.uri))
    asked = TagsManifest((), {}, model.entry, spec, entry, options.embeddings)
    if held is None:
        return asked
    beside = "name another --out: one folder holds the scores of one model on one kind of input"
    if held.model.sha256 != asked.model.sha256:
        raise UserError(
            f"{layout.root}: holds the scores of another model ({held.model.labels}, {held.model.sha256[:12]}), received "
            f"{model.uri} ({asked.model.labels}, {asked.model.sha256[:12]}); {beside}"
        )
    if held.source.kind != asked.source.kind:
        raise UserError(
            f"{layout.root}: holds the scores of a {held.source.kind}, received a {asked.source.kind}; {beside}"
        )
    check_same_embeddings(layout, held, asked, source, beside)
    if held.spec.fingerprint != asked.spec.fingerprint:
        raise UserError(
            f"{layout.root}: holds the scores of {_described(held.spec)}, received {_described(asked.spec)}; {beside}"
        )
    if held.embeddings != asked.embeddings:
        raise UserError(
            f"{layout.root}: was begun {'with' if held.embeddings else 'without'} embeddings; continue so, or {beside}"
        )
    return held


def _described(spec: FeatureSpec) -> str:
    return f"{features_name(spec)} of {waveform_of(spec).excerpt}"


def _stored_spec(dataset: Dataset, wanted: FeatureSpec) -> FeatureSpec:
    """The features of a dataset that a model can read; raises UserError if it holds none."""
    held = dataset.whole_features()
    for spec, generations in held:
        if with_excerpt(wanted, waveform_of(spec).excerpt) == spec:
            if generations < len(dataset.manifest.generations):
                dataset.features(features_name(spec))  # says how to complete them
            return spec
    raise UserError(
        f"{dataset.layout.root}: holds {', '.join(features_name(spec) for spec, _ in held)}; the model reads "
        f"{features_name(wanted)} (of any part of a track): tag the dataset on whose features it was trained, or give --catalog"
    )


def plan_tags(tags: Tags, plan: pa.Table, options: TagOptions) -> Tags:
    """Write the plan of the next generation; returns the tags with it under way.

    Args:
        tags: Tags whose generations are all complete.
        plan: A table of schema PLAN.
        options: Options of the tagging.
    """
    versions = tag_versions(tags.manifest.source, options)
    facts = {"max_seconds": options.max_seconds}
    return Tags.of(tags.layout, begin_generation(tags.layout, tags.manifest, plan, versions, facts))


def plan_of_catalog(wanted: pa.Table, tags: Tags, options: TagOptions) -> pa.Table:
    """Rows of a catalog in shards."""
    excerpt = Excerpt.parse(waveform_of(tags.manifest.spec).excerpt)
    return plan_tracks(wanted, options.shards or shard_count(wanted["duration"].to_pylist(), excerpt))


def plan_of_source(source: Dataset | Tags, generation: int) -> pa.Table:
    """The plan of a generation of a dataset or of other tags, whose shards the tags share."""
    return PlanReader(source.layout.plan(generation)).columns(PLAN.names)


def tag_versions(source: SourceEntry, options: TagOptions) -> dict[str, str]:
    """Name -> version of everything that determines the bytes of scores."""
    versions = feature_versions(options.decoder)
    if source.kind == "dataset" or source.embeddings is not None:  # nothing is decoded
        versions = {name: versions[name] for name in ("cpu", "numpy")}
    if source.embeddings is not None:  # numpy alone computes the head
        return versions
    packages = _RUNTIMES[options.runtime]
    for package in packages:
        try:
            return {**versions, packages[0]: importlib.metadata.version(package)}
        except importlib.metadata.PackageNotFoundError:
            continue
    raise UserError(
        f"--runtime {options.runtime}: {packages[0]}, which runs the model, is not installed; "
        f"{install_advice(_EXTRAS[options.runtime])}"
    )


def job_under_way(tags: Tags, model: ServedModel, source: Source, options: TagOptions) -> TagShardJob | HeadShardJob:
    """The job of the generation under way, after checking that it can be resumed here.

    Raises:
        UserError: It was started with other options or library versions.
        DatasetError: Its plan is damaged.
    """
    generation = entry_under_way(tags).generation
    what = f"{tags.layout.root}: {generation_name(generation)}"
    metadata = PlanReader(tags.layout.plan(generation)).metadata
    if metadata["max_seconds"] != options.max_seconds:
        raise UserError(
            f"{what} was begun with --max-seconds {metadata['max_seconds']:g}, received {options.max_seconds:g}; continue "
            "with the first"
        )
    here = tag_versions(tags.manifest.source, options)
    check_versions(what, metadata["versions"], here, allow_others=options.allow_other_versions)
    if isinstance(source, Tags):
        return HeadShardJob(
            dataset=tags.layout.root,
            generation=generation,
            model=model,
            head_sha256=head_sha256(model),
            source=source.layout.root,
            spec=tags.manifest.spec,
            embeddings=tags.manifest.embeddings,
        )
    return TagShardJob(
        dataset=tags.layout.root,
        generation=generation,
        model=model,
        spec=tags.manifest.spec,
        embeddings=tags.manifest.embeddings,
        audio_root=source.root if isinstance(source, Catalog) else None,
        source=source.layout.root if isinstance(source, Dataset) else None,
        decoder=options.decoder,
        max_seconds=options.max_seconds,
    )
