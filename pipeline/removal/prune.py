"""Find what a dataset no longer needs, and remove it on request. `prune` is what the command calls."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from pipeline.labels.splits import split_log
from pipeline.removal.remove import known_runs
from schemas.dataset import Dataset
from schemas.errors import UserError
from schemas.features import FeatureSpec, features_name
from schemas.label_version import versions_in_order
from schemas.layout import generation_name
from schemas.manifests import GenerationEntry, LabelsManifest
from schemas.sole_writer import sole_writer
from schemas.storage import exists, files_below, join, list_names, remove_tree, size, write_atomic

Kind = Literal["orphans", "fingerprints", "label-versions"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_READERS = 8  # done marks that are read side by side


@dataclasses.dataclass(frozen=True)
class Prunable:
    """A file or folder that a dataset no longer needs.

    Attributes:
        uri: of it.
        bytes: of all its files.
        why: in words.
    """

    uri: str
    bytes: int
    why: str


@dataclasses.dataclass(frozen=True)
class PruneSummary:
    """What was found.

    Attributes:
        paths: what was, or would be, removed.
        kept_for_runs: label versions that are kept since a known run was trained on them, and the run.
    """

    paths: tuple[Prunable, ...]
    kept_for_runs: tuple[tuple[str, str], ...]


def prune(
    root: str,
    kinds: Sequence[Kind] = KINDS,
    *,
    keep_versions: int = 1,
    derived: Sequence[str] = (),
    delete: bool = False,
) -> PruneSummary:
    """Find what a dataset no longer needs.

    Args:
        root: the dataset.
        kinds: what to look for: `orphans` (files that nothing names, as killed commands leave them), `fingerprints`
            (feature folders that the manifest does not name), `label-versions` (all but the newest).
        keep_versions: how many versions of each label set are kept.
        derived: names of derived features that are no longer wanted.
        delete: remove what is found; otherwise nothing is changed.

    Raises:
        UserError: there is no dataset there, or its build is unfinished, or another command is changing it, or it has
            no derived features of such a name.
    """
    if keep_versions < 1:
        raise UserError(f"--keep: expected at least 1, received {keep_versions}")
    dataset = Dataset.open(root)
    found: list[Prunable] = []
    kept: list[tuple[str, str]] = []
    with sole_writer(dataset.layout.root):
        if "orphans" in kinds:
            found += _measured(_orphans(dataset))
        if "fingerprints" in kinds:
            found += _measured(_other_families(dataset))
        if "label-versions" in kinds:
            old = list(_old_versions(dataset, keep_versions))
            runs = {run["label_set"]: run["run"] for run in known_runs(dataset.layout)}
            kept = [(version, runs[version]) for version, _ in old if version in runs]
            found += _measured(
                (folder, f"version of {version.partition('@')[0]} before the newest {keep_versions}")
                for version, folder in old
                if version not in runs
            )
        unwanted = _derived(dataset, derived)
        found += _measured((folder, "derived features that are no longer wanted") for folder in unwanted.values())
        if delete:
            if unwanted:
                kept_entries = tuple(
                    entry for entry in dataset.manifest.derived if features_name(entry.spec) not in unwanted
                )
                manifest = dataclasses.replace(dataset.manifest, derived=kept_entries)
                write_atomic(dataset.layout.manifest, manifest.to_bytes())
            for path in found:
                remove_tree(path.uri)
    return PruneSummary(tuple(found), tuple(kept))


def _derived(dataset: Dataset, names: Sequence[str]) -> dict[str, str]:
    """Name -> folder of derived features; raises UserError for a name that is none."""
    held = {features_name(entry.spec) for entry in dataset.manifest.derived}
    for name in names:
        if name not in held:
            raise UserError(
                f"--features {name}: expected derived features of {dataset.layout.root} "
                f"({', '.join(sorted(held)) or 'it has none'})"
            )
    return {name: join(dataset.layout.root, "features", name) for name in names}


def _measured(paths: Iterable[tuple[str, str]]) -> Iterator[Prunable]:
    for uri, why in paths:
        files = [*files_below(uri), *files_below(uri, temporary=True)]
        yield Prunable(uri, sum(size(file) for file in files), why)


def _orphans(dataset: Dataset) -> Iterator[tuple[str, str]]:
    layout = dataset.layout
    for spec, generations in dataset.whole_features():
        for entry in dataset.manifest.generations[:generations]:
            folder = layout.features(spec, entry.generation)
            named = _named_payloads(dataset, spec, entry)
            for name in list_names(folder):
                if name.endswith(".tfrecord") and name not in named:
                    yield join(folder, name), "a payload that no done mark names"
    known = [generation_name(entry.generation) for entry in dataset.manifest.generations]
    for folder in (join(layout.root, "plan"), join(layout.root, "tracks")):
        for name in list_names(folder):
            if name.partition(".")[0] not in known:
                yield join(folder, name), "of a generation that dataset.json does not name"
    for uri in files_below(layout.root, temporary=True):
        yield uri, "a temporary file that a killed command left"
    for name in list_names(layout.label_sets):
        for version in _versions(dataset, name):
            if not exists(join(layout.label_version(name, version), "labels.json")):
                yield layout.label_version(name, version), "a label version that was cut short"
    yield from _orphaned_splits(dataset)


def _named_payloads(dataset: Dataset, spec: FeatureSpec, entry: GenerationEntry) -> set[str]:
    def named(shard: int) -> str:
        return dataset.shard_manifest(spec, entry.generation, shard).payload

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        return set(readers.map(named, range(entry.shards)))


def _orphaned_splits(dataset: Dataset) -> Iterator[tuple[str, str]]:
    layout = dataset.layout
    used = set()
    for name in list_names(layout.label_sets):
        for version in _versions(dataset, name):
            uri = join(layout.label_version(name, version), "labels.json")
            if exists(uri):
                split = LabelsManifest.read(uri).split
                used.add((split["name"], split["version"]))
    for name in list_names(layout.splits("").rstrip("/")):
        used.update((name, entry["version"]) for entry in split_log(dataset, name))
        for file in list_names(layout.splits(name)):
            if file.endswith(".parquet") and (name, file.removesuffix(".parquet")) not in used:
                yield join(layout.splits(name), file), "a split version that nothing names"


def _other_families(dataset: Dataset) -> Iterator[tuple[str, str]]:
    features = join(dataset.layout.root, "features")
    named = {features_name(spec) for spec, _ in dataset.whole_features()}
    for name in list_names(features):
        if name not in named:
            yield join(features, name), "features that dataset.json does not name"


def _old_versions(dataset: Dataset, keep: int) -> Iterator[tuple[str, str]]:
    """NAME@VERSION and folder of every label version but the newest ones."""
    for name in list_names(dataset.layout.label_sets):
        order = versions_in_order(dataset, name)
        newest = list(dict.fromkeys(reversed(order)))[:keep]
        for version in _versions(dataset, name):
            if version in order and version not in newest:
                yield f"{name}@{version}", dataset.layout.label_version(name, version)


def _versions(dataset: Dataset, name: str) -> list[str]:
    return [entry for entry in list_names(dataset.layout.label_set(name)) if entry != "log.jsonl"]
