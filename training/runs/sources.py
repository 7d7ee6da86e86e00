"""What a run was trained on: its dataset, its label version and its features, or what stands for them if it was imported."""

from __future__ import annotations

import dataclasses

from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, features_name, with_excerpt
from schemas.label_version import LabelVersion, open_labels
from training.config import TrainConfig
from training.runs.build_model import features_of
from training.runs.imported import Imported, read_imported
from training.runs.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class RunSources:
    """What a run reads and gives.

    Attributes:
        dataset: the dataset that it was trained on, or the one that it should be evaluated on; an imported run has one
            without tracks.
        labels: the label version that it was trained on; that of an imported run has its tags and no tracks.
        spec: the features that it reads, as the dataset names them.
        imported: where its weights come from, if they were imported.
    """

    dataset: Dataset
    labels: LabelVersion
    spec: FeatureSpec
    imported: Imported | None = None


def open_sources(folder: RunFolder, config: TrainConfig, dataset: str | None = None) -> RunSources:
    """Open what a run was trained on.

    Args:
        folder: the run.
        config: its configuration.
        dataset: another dataset to evaluate it on; None for its own.

    Raises:
        UserError: there is no such dataset, label set or version, or the other dataset lacks the features that the run reads.
        DatasetError: one of their files is damaged.
    """
    imported = read_imported(folder.root)
    if imported is not None:
        own = imported.dataset(folder.root)
        sources = RunSources(own, imported.labels(), imported.spec, imported)
    else:
        own = Dataset.open(config.dataset)
        sources = RunSources(own, open_labels(own, config.label_set), features_of(own, config))
    if dataset is None:
        return sources
    other = Dataset.open(dataset)
    return dataclasses.replace(sources, dataset=other, spec=_same_features(other, sources.spec))


def _same_features(dataset: Dataset, spec: FeatureSpec) -> FeatureSpec:
    """The features of a dataset that differ from a spec only in the part of each track that is stored."""
    held = [found for found, _ in dataset.whole_features()]
    for found in held:
        if with_excerpt(found, "full") == with_excerpt(spec, "full"):
            return dataset.features(features_name(found))
    raise UserError(
        f"{dataset.layout.root}: holds {', '.join(map(features_name, held))}, not features of the settings that the model reads "
        f"({spec.to_dict()}); name a dataset that has them"
    )
