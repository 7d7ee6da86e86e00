"""Find files that a dataset no longer needs, and remove them on request. The command calls `prune`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, get_args

from pipeline.labels.splits import split_log
from pipeline.removal.leftovers import (
    named_generations,
    no_build,
    remove_features,
    temporaries,
    unnamed_features,
    unnamed_files,
)
from pipeline.removal.remove import known_runs
from pipeline.removal.unfinished import give_up, parts_under_way
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.features import features_name
from schemas.label_version import versions_in_order
from schemas.labels_manifest import LabelsManifest
from schemas.sole_writer import changing, sole_writer
from schemas.storage.files import exists, files_below, is_folder, is_remote, join, list_names, size, write_atomic

Kind = Literal["orphans", "fingerprints", "label-versions"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_PATIENCE_SECONDS = 30.0  # longest wait for another command that changes features


@dataclasses.dataclass(frozen=True)
class Prunable:
    """A file or folder that a dataset no longer needs.

    Attributes:
        uri: URI of the file or folder.
        bytes: Total size of its files in bytes.
        why: Reason in words.
    """

    uri: str
    bytes: int
    why: str


@dataclasses.dataclass(frozen=True)
class PruneSummary:
    """Results of a prune.

    Attributes:
        paths: Paths that were, or would be, removed.
        kept_for_runs: Label versions that are kept because a known run was trained on them, each with the run.
    """

    paths: tuple[Prunable, ...]
    kept_for_runs: tuple[tuple[str, str], ...]


def prune(
    root: str,
    kinds: Sequence[Kind] = KINDS,
    *,
    keep_versions: int = 1,
    derived: Sequence[str] = (),
    unfinished: bool = False,
    delete: bool = False,
) -> PruneSummary:
    """Find files that a dataset no longer needs.

    Args:
        root: Folder of the dataset.
        kinds: Kinds to look for: `orphans` (files that nothing names, as killed commands leave them), `fingerprints`
            (feature folders that the manifest does not name), `label-versions` (all but the newest).
        keep_versions: Number of versions of each label set to keep.
        derived: Names of derived features that are no longer wanted.
        unfinished: Give up the generation under way: its plan, its shards, and its place in the manifest.
        delete: Remove what is found; otherwise nothing is changed.

    Raises:
        UserError: there is no dataset, none of it is finished and `unfinished` is not set, another command is changing it, or
            it has no derived features with such a name.
    """
    if keep_versions < 1:
        raise UserError(f"--keep: expected at least 1, received {keep_versions}")
    layout = Dataset.begun(root).layout
    with contextlib.ExitStack() as held:
        if delete and is_folder(layout.all_features):
            held.enter_context(sole_writer(layout.all_features, shown=layout.root, patience=_PATIENCE_SECONDS))
        held.enter_context(changing(layout))
        dataset = Dataset.begun(root) if unfinished else Dataset.open(root)
        if delete:
            alone = held.enter_context(no_build(dataset))
        else:  # a dry run does not keep a build waiting
            with no_build(dataset) as alone:
                pass
        if unfinished and not alone and not is_remote(layout.root):
            raise UserError(
                f"{layout.root}: a build is writing {dataset.under_way_words() or 'it'} now; expected none: stop it first"
            )
        return _prune(dataset, kinds, keep_versions, derived, alone=alone, unfinished=unfinished, delete=delete)


def _prune(
    dataset: Dataset,
    kinds: Sequence[Kind],
    keep_versions: int,
    derived: Sequence[str],
    *,
    alone: bool,
    unfinished: bool,
    delete: bool,
) -> PruneSummary:
    found: list[Prunable] = []
    kept: list[tuple[str, str]] = []
    if "orphans" in kinds:
        found += _measured(_orphans(dataset, alone))
    if "fingerprints" in kinds:
        found += _measured(unnamed_features(dataset))
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
    given_up = _measured(parts_under_way(dataset)) if unfinished else ()
    found += given_up
    if delete:
        if unwanted:
            _forget_derived(dataset, unwanted)
        for path in found:
            if path not in given_up:
                remove_features(path.uri)
        if unfinished:
            give_up(dataset)
    return PruneSummary(tuple(found), tuple(kept))


def _forget_derived(dataset: Dataset, unwanted: Collection[str]) -> None:
    manifest = DatasetManifest.read(dataset.layout.manifest)
    kept = tuple(entry for entry in manifest.derived if features_name(entry.spec) not in unwanted)
    write_atomic(dataset.layout.manifest, dataclasses.replace(manifest, derived=kept).to_bytes())


def _derived(dataset: Dataset, names: Sequence[str]) -> dict[str, str]:
    """Name -> folder of derived features; raises UserError for an unknown name."""
    held = {features_name(entry.spec) for entry in dataset.manifest.derived}
    for name in names:
        if name not in held:
            raise UserError(
                f"--features {name}: expected derived features of {dataset.layout.root} "
                f"({', '.join(sorted(held)) or 'it has none'})"
            )
    return {name: join(dataset.layout.root, "features", name) for name in names}


def _measured(paths: Iterable[tuple[str, str]]) -> tuple[Prunable, ...]:
    def measured(uri: str, why: str) -> Prunable:
        files = [*files_below(uri), *files_below(uri, temporary=True)]
        return Prunable(uri, sum(size(file) for file in files), why)

    return tuple(measured(uri, why) for uri, why in paths)


def _orphans(dataset: Dataset, alone: bool) -> Iterator[tuple[str, str]]:
    layout = dataset.layout
    yield from unnamed_files(dataset, of_build=alone)
    known = named_generations(dataset)
    for folder in (layout.plans, join(layout.root, "tracks")):
        for name in list_names(folder):
            if name.partition(".")[0] not in known:
                yield join(folder, name), "of a generation that dataset.json does not name"
    yield from temporaries(dataset, layout.root, of_build=alone)
    for name in list_names(layout.label_sets):
        logged = _logged_versions(dataset, name)
        for version in _versions(dataset, name):
            # A version that the log names was complete and has lost its manifest since: `label` makes that again.
            if version not in logged and not exists(join(layout.label_version(name, version), "labels.json")):
                yield layout.label_version(name, version), "a label version that was cut short"
    yield from _orphaned_splits(dataset)


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
        files = list_names(layout.splits(name))
        named = {entry["version"] for entry in split_log(dataset, name)} if exists(layout.split_log(name)) else set()
        if not named <= {file.removesuffix(".parquet") for file in files} or not named:
            continue  # its log is lost or belongs to another split, so the versions it would name are unknown
        used.update((name, version) for version in named)
        for file in files:
            if file.endswith(".parquet") and (name, file.removesuffix(".parquet")) not in used:
                yield join(layout.splits(name), file), "a split version that nothing names"


def _old_versions(dataset: Dataset, keep: int) -> Iterator[tuple[str, str]]:
    """NAME@VERSION and folder of every label version but the newest ones."""
    for name in list_names(dataset.layout.label_sets):
        order = _logged_versions(dataset, name)
        newest = list(dict.fromkeys(reversed(order)))[:keep]
        for version in _versions(dataset, name):
            if version in order and version not in newest:
                yield f"{name}@{version}", dataset.layout.label_version(name, version)


def _logged_versions(dataset: Dataset, name: str) -> list[str]:
    """Versions of a label set in the order of its log; empty for an interrupted first version without a log."""
    return versions_in_order(dataset, name) if exists(dataset.layout.label_log(name)) else []


def _versions(dataset: Dataset, name: str) -> list[str]:
    return [entry for entry in list_names(dataset.layout.label_set(name)) if entry != "log.jsonl"]
