"""Give up the generation under way, if its plan cannot be carried out or its tracks are not wanted after all."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.removal.leftovers import remove_features
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.generations import read_tombstones
from schemas.layout import generation_name
from schemas.storage.files import exists, files_below, join, remove, remove_tree, write_atomic


def parts_under_way(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Path of each existing file and folder that is unfinished, and the reason for its removal."""
    layout, paths = dataset.layout, []
    if dataset.under_way is not None:
        generation = dataset.under_way.generation
        why = f"of {generation_name(generation)}, which is not finished"
        paths += _feature_folders(dataset)
        paths += [layout.tracks_parts(generation), layout.tracks(generation), layout.plan(generation)]
    elif not dataset.manifest.generations:
        why = "of a dataset of which nothing is finished"
        paths += [layout.all_features, join(layout.root, "tracks"), layout.plans, layout.manifest]
    for path in paths:
        if exists(path) or files_below(path):
            yield path, why


def _feature_folders(dataset: Dataset) -> list[str]:
    generation = len(dataset.manifest.generations)
    return [dataset.layout.features(spec, generation) for spec in dataset.manifest.families.values()]


def give_up(dataset: Dataset) -> None:
    """Remove the generation under way, and the whole dataset if nothing else is in it; its tombstones stay.

    If this is interrupted, the same call resumes it; until the manifest is written, a build can resume the generation.

    Args:
        dataset: The dataset, locked against builds and other changes.
    """
    layout = dataset.layout
    if dataset.under_way is not None:
        generation = dataset.under_way.generation
        remove_features(*_feature_folders(dataset))
        remove_tree(layout.tracks_parts(generation))
        remove(layout.tracks(generation))
        manifest = DatasetManifest.read(layout.manifest).finished
        write_atomic(layout.manifest, manifest.to_bytes())
        remove(layout.plan(generation))
        remove(layout.run_summary(f"build-{generation_name(generation)}"))
    if not dataset.manifest.generations:
        remove_features(layout.all_features)
        for folder in (join(layout.root, "tracks"), layout.plans, layout.runs):
            remove_tree(folder)
        if not read_tombstones(layout).num_rows:  # then another build may choose other features
            remove(layout.removed)
            remove(layout.manifest)
