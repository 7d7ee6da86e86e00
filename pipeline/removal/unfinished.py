"""Give up the generation under way: a plan that cannot be carried out, or whose tracks are not wanted after all."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.dataset import Dataset
from schemas.layout import generation_name
from schemas.manifests import DatasetManifest
from schemas.storage import exists, files_below, remove, remove_tree, write_atomic


def parts_under_way(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Path of each file and folder of the generation under way that is there, and why it goes."""
    if dataset.under_way is None:
        return
    generation = dataset.under_way.generation
    layout = dataset.layout
    why = f"of {generation_name(generation)}, which is not finished"
    paths = [layout.features(spec, generation) for spec in dataset.manifest.families.values()]
    paths += [layout.tracks_parts(generation), layout.tracks(generation), layout.plan(generation)]
    for path in paths:
        if exists(path) or files_below(path):
            yield path, why


def give_up(dataset: Dataset) -> None:
    """Remove the generation under way, and the whole dataset where nothing else is in it.

    The plan goes last: wherever this is cut short, the same command goes on, and so does a build.

    Args:
        dataset: held against builds and other changes.
    """
    if dataset.under_way is None:
        return
    layout = dataset.layout
    plan = layout.plan(dataset.under_way.generation)
    for path, _ in list(parts_under_way(dataset)):
        if path != plan:
            remove_tree(path)
    manifest = DatasetManifest.read(layout.manifest).finished
    write_atomic(layout.manifest, manifest.to_bytes())
    remove(plan)
    remove(layout.run_summary(f"build-{generation_name(dataset.under_way.generation)}"))
    if not manifest.generations:  # so that another build may choose other features
        for folder in (layout.plans, layout.all_features, layout.runs):
            remove_tree(folder)
        remove_tree(f"{layout.root}/tracks")
        remove(layout.removed)
        remove(layout.manifest)
