"""Find unnamed feature files: those that killed commands left behind, and folders that the manifest does not name."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator

from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, features_name
from schemas.layout import generation_name, shard_name
from schemas.manifests import ShardManifest, read_json
from schemas.sole_writer import sole_writer
from schemas.storage.files import files_below, is_remote, join, list_names, parent, remove, remove_tree

_READERS = 8  # done marks read in parallel

Found = Iterator[tuple[str, str]]  # path, and why it is not needed


def remove_features(*folders: str) -> None:
    """Remove folders of features, done marks first, so that an interruption leaves no mark without its payload."""
    for folder in folders:
        for uri in files_below(folder):
            if uri.endswith(".json"):
                remove(uri)
    for folder in folders:
        remove_tree(folder)


@contextlib.contextmanager
def no_build(dataset: Dataset) -> Iterator[bool]:
    """Lock a dataset against builds; yields False if one is running, or may be, as in a bucket, which has no locks."""
    if is_remote(dataset.layout.root):
        yield False
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(sole_writer(dataset.layout.root))
        except UserError:
            yield False
            return
        yield True


def unnamed_files(dataset: Dataset, *, of_build: bool) -> Found:
    """What nothing names of the features in dataset.json: payloads, and whole generations.

    Args:
        dataset: The dataset, read while no generation could be planned, which locks ensure on a disk.
        of_build: Include what a build may be writing, as no build is running.

    Raises:
        DatasetError: a done mark of a finished generation is missing, damaged or foreign, so the payload that it should
            name is unknown.
    """
    yield from _unnamed_payloads(dataset, of_build)
    yield from _unnamed_generations(dataset, of_build)


def _unnamed_payloads(dataset: Dataset, of_build: bool) -> Found:
    """Payloads that no done mark names; with `of_build` also those of the generation under way."""
    generations = [entry.generation for entry in dataset.manifest.generations]
    if of_build and dataset.under_way is not None:
        generations.append(dataset.under_way.generation)
    for spec, held in dataset.whole_features():
        for generation in generations:
            if generation >= held and is_remote(dataset.layout.root) and not of_build:
                continue  # a derivation may be writing it
            folder = dataset.layout.features(spec, generation)
            names = list_names(folder)
            unnamed = {name for name in names if name.endswith(".tfrecord")} - _named_payloads(
                dataset, spec, generation, names
            )
            if generation < held:
                _check_marks(dataset, spec, generation, unnamed)
            yield from ((join(folder, name), "a payload that no done mark names") for name in sorted(unnamed))


def _named_payloads(dataset: Dataset, spec: FeatureSpec, generation: int, names: list[str]) -> set[str]:
    def named(name: str) -> str:
        uri = join(dataset.layout.features(spec, generation), name)
        return ShardManifest.from_dict(read_json(uri, "a shard's done mark"), where=uri).payload

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        return set(readers.map(named, [name for name in names if name.endswith(".json")]))


def _check_marks(dataset: Dataset, spec: FeatureSpec, generation: int, unnamed: set[str]) -> None:
    """Raise DatasetError unless each shard with a leftover payload also has a named one."""
    for shard in range(dataset.manifest.generations[generation].shards):
        if any(name.startswith(f"{shard_name(shard)}-") for name in unnamed):
            dataset.payload(spec, generation, shard)


def unnamed_features(dataset: Dataset) -> Found:
    """Folders of features that dataset.json does not name."""
    named = {features_name(spec) for spec, _ in dataset.whole_features()}
    for name in list_names(dataset.layout.all_features):
        if name not in named:
            yield join(dataset.layout.all_features, name), "features that dataset.json does not name"


def named_generations(dataset: Dataset) -> list[str]:
    """Names of the generations in dataset.json, including the one under way."""
    under_way = [] if dataset.under_way is None else [dataset.under_way]
    return [generation_name(entry.generation) for entry in (*dataset.manifest.generations, *under_way)]


def _unnamed_generations(dataset: Dataset, of_build: bool) -> Found:
    """Features of generations that dataset.json does not name; in a bucket only if no build may have planned one since."""
    known = named_generations(dataset)
    if of_build or not is_remote(dataset.layout.root):
        for spec, _ in dataset.whole_features():
            folder = parent(dataset.layout.features(spec, 0))
            for name in list_names(folder):
                if name not in known:
                    yield join(folder, name), "of a generation that dataset.json does not name"


def temporaries(dataset: Dataset, below: str, *, of_build: bool) -> Found:
    """Temporary files at or below a folder.

    Args:
        dataset: The dataset.
        below: The folder.
        of_build: True if no build is running, so that a build's temporary files are not needed either.
    """
    for uri in files_below(below, temporary=True):
        if of_build or not _is_builds(dataset, uri):
            yield uri, "a temporary file that a killed command left"


def _is_builds(dataset: Dataset, uri: str) -> bool:
    """True for a file that a running build may be writing."""
    layout = dataset.layout
    folders = [layout.plans, join(layout.root, "tracks"), layout.runs, layout.root]
    if dataset.under_way is not None:
        generation = dataset.under_way.generation
        folders += [layout.features(spec, generation) for spec in dataset.manifest.families.values()]
        folders.append(layout.tracks_parts(generation))
    return parent(uri) in folders
