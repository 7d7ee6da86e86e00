"""Join a label version with the locations of its tracks' records."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.features import FeatureSpec
from schemas.label_version import LabelVersion, records_of, without_removed
from schemas.tables import SPLITS
from training.data.nested_shares import nested_share


@dataclasses.dataclass(frozen=True)
class LabelledTracks:
    """The tracks of one split: where each record is, and what its tags should be.

    Attributes:
        split: train, validation or test.
        track_ids: [tracks].
        generation: int64 [tracks], shard: int64 [tracks]: the payload that holds the record.
        offset: int64 [tracks], length: int64 [tracks]: the bytes of the whole record in the payload.
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown.
        spec: spec of the features in these records.
        removed: number of labelled tracks that have been removed from the dataset since, and are left out here.
    """

    split: str
    track_ids: tuple[str, ...]
    generation: npt.NDArray[np.int64]
    shard: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float32]
    spec: FeatureSpec
    removed: int = 0

    def __len__(self) -> int:
        return len(self.track_ids)

    def taken(self, kept: npt.NDArray[np.bool_]) -> LabelledTracks:
        """Some of the tracks."""
        arrays = {name: getattr(self, name)[kept] for name in ("generation", "shard", "offset", "length", "targets")}
        ids = tuple(track_id for track_id, is_kept in zip(self.track_ids, kept, strict=True) if is_kept)
        return dataclasses.replace(self, track_ids=ids, **arrays)


def labelled_tracks(
    dataset: Dataset, labels: LabelVersion, spec: FeatureSpec, split: str, *, share: float = 1.0
) -> LabelledTracks:
    """Join the labels of a split with the tracks table.

    Args:
        dataset: the dataset.
        labels: labels of its tracks.
        spec: the features to read.
        split: train, validation or test.
        share: share of the split's tracks, in whole groups; see `nested_share`.

    Raises:
        UserError: there is no such split, or it or the share has no tracks.
        DatasetError: a labelled track has no record in the dataset.
    """
    if split not in SPLITS:
        raise UserError(f"--split: expected {', '.join(SPLITS)}, received {split!r}")
    table = labels.table.filter(pc.equal(labels.table["split"], split))
    where = labels.reference
    table, removed = without_removed(dataset, table)
    if table.num_rows == 0:
        raise UserError(
            f"{where}: has no {split} track, since its split {labels.manifest.split['name']} has none or none is labelled; "
            f"{_remedy(dataset, labels, split)}"
        )
    found = records_of(dataset, labels, table, spec, ["shard"] if share == 1 else ["shard", "group"])
    if share != 1:
        kept = pa.array(nested_share(found["group"].combine_chunks(), share, where=where))
        table, found = table.filter(kept), found.filter(kept)
    return LabelledTracks(
        split=split,
        track_ids=tuple(table["track_id"].to_pylist()),
        generation=_integers(found["generation"]),
        shard=_integers(found["shard"]),
        offset=_integers(found["offset"]),
        length=_integers(found["length"]),
        targets=_targets(table, len(labels.vocabulary), labels.manifest.label_set["missing"] == "unknown"),
        spec=spec,
        removed=removed,
    )


def _remedy(dataset: Dataset, labels: LabelVersion, split: str) -> str:
    """Commands to suggest if a split has no track on a side."""
    root, name = dataset.layout.root, f"{labels.manifest.split['name']}-{split}"
    make = f"`{pipeline_command('split', '--dataset', root, '--name', name)}`, and `label` with --split {name}"
    validation = labels.manifest.counts["validation"]
    other = "use another side (--split validation), or " if split == "test" and validation else ""
    return f"{other}make a split that has some: {make}"


def _integers(column: Any) -> npt.NDArray[np.int64]:
    values: npt.NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return values


def _targets(table: pa.Table, tags: int, missing_is_unknown: bool) -> npt.NDArray[np.float32]:
    targets = np.full((table.num_rows, tags), np.nan if missing_is_unknown else 0.0, np.float32)
    lists = table["tags"].combine_chunks()
    rows = lists.value_parent_indices().to_numpy()
    codes = lists.flatten().to_numpy()
    targets[rows, codes] = table["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return targets
