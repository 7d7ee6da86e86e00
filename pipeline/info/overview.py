"""The command `info`: the contents of a dataset and the health of its labels."""

from __future__ import annotations

import dataclasses

import pyarrow.compute as pc

from pipeline.info.dataset_facts import TRACK_COLUMNS, DatasetFacts, dataset_facts
from pipeline.info.label_health import LabelHealth, label_health
from schemas.console.errors import TagscaleError
from schemas.dataset import Dataset
from schemas.label_version import LabelVersion, label_set_names, open_labels


@dataclasses.dataclass(frozen=True)
class Overview:
    """Results of `info`.

    Attributes:
        dataset: Contents of the dataset.
        labels: Health of the examined label versions, ordered by name.
        problems: Label sets that could not be opened, one line each.
    """

    dataset: DatasetFacts
    labels: tuple[LabelHealth, ...]
    problems: tuple[str, ...]


def info(root: str, label_set: str | None = None) -> Overview:
    """Examine a dataset and its labels without opening a feature payload.

    Args:
        root: Folder of the dataset.
        label_set: `NAME` or `NAME@HASH` of the label set to examine; None for the newest version of each.

    Raises:
        UserError: there is no dataset, its build is unfinished, or there is no such label set or version.
        DatasetError: one of its files is missing or damaged.
    """
    dataset = Dataset.open(root)
    opened = {} if label_set is None else {label_set: open_labels(dataset, label_set)}  # raises before the long work
    tracks = dataset.newest_tracks(TRACK_COLUMNS)
    facts = dataset_facts(dataset, tracks)
    stored = tracks.filter(pc.is_valid(tracks["record"])).select(["track_id", "group"])
    del tracks
    labels, problems = [], []
    for name in [label_set] if label_set is not None else label_set_names(dataset):
        try:
            version: LabelVersion = opened.get(name) or open_labels(dataset, name)
        except TagscaleError as error:
            problems.append(str(error))
            continue
        labels.append(label_health(version, stored, len(facts.generations)))
    return Overview(facts, tuple(labels), tuple(problems))
