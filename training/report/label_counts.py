"""The number of tracks, and of positives of each tag, that a run had in each split."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import TagscaleError
from schemas.dataset import Dataset
from schemas.label_version import open_labels, without_removed
from schemas.tables import SPLITS
from training.config import TrainConfig
from training.data.labels import labelled_tracks


@dataclasses.dataclass(frozen=True)
class LabelCounts:
    """Counts of a label version.

    Attributes:
        vocabulary: the tags in output order.
        values: binary or graded.
        missing: the meaning of a tag that a track lacks, negative or unknown.
        tracks: split -> number of tracks.
        positives: split -> number of positives, int64 [tags].
    """

    vocabulary: tuple[str, ...]
    values: str
    missing: str
    tracks: dict[str, int]
    positives: dict[str, npt.NDArray[np.int64]]


def count_labels(config: TrainConfig) -> LabelCounts | str:
    """Count the labels that a run was trained on, or say why they cannot be read; a run may outlive its dataset."""
    if not config.dataset:
        return "its weights were imported, without the tracks that they were trained on"
    try:
        dataset = Dataset.open(config.dataset)
        labels = open_labels(dataset, config.label_set)
        table, _ = without_removed(dataset, labels.table)
        shared = None
        if config.train_share != 1:
            spec = dataset.features(config.features)
            shared = pa.array(labelled_tracks(dataset, labels, spec, "train", share=config.train_share).track_ids)
    except (TagscaleError, OSError) as error:
        return str(error)
    label_set = labels.manifest.label_set
    lists, values = table["tags"].combine_chunks(), table["values"].combine_chunks()
    # Unknown values are null or NaN: neither compares true.
    positive = pc.fill_null(pc.greater_equal(values.flatten(), labels.positive_at), False)
    rows = lists.value_parent_indices().to_numpy()
    codes = lists.flatten().to_numpy()
    taken = positive.to_numpy(zero_copy_only=False)
    tracks, positives = {}, {}
    for split in SPLITS:
        of_split = pc.fill_null(pc.equal(table["split"], split), False).to_numpy()
        if split == "train" and shared is not None:
            of_split = of_split & pc.is_in(table["track_id"], value_set=shared).to_numpy()
        tracks[split] = int(np.count_nonzero(of_split))
        positives[split] = np.bincount(codes[taken & of_split[rows]], minlength=len(labels.vocabulary))
    return LabelCounts(labels.vocabulary, str(label_set["values"]), str(label_set["missing"]), tracks, positives)
