"""The labels of a version as flat arrays, joined with the tracks that the dataset still holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.label_version import LabelVersion
from schemas.tables import SPLITS


@dataclasses.dataclass(frozen=True)
class LabelRows:
    """Label i gives track[i] the tag tag[i] with value[i].

    Attributes:
        track_ids: Sorted ids of the labelled tracks that the dataset still holds.
        side: Position in SPLITS, int32 [tracks].
        group: Position in `groups`, int32 [tracks].
        groups: Names of the groups (artists).
        track: Position in `track_ids`, int32 [labels].
        tag: Position in the vocabulary, int32 [labels].
        value: Value in [0, 1], float32 [labels]; NaN means unknown.
        positive: Mask of the positive labels, bool [labels].
        removed: Number of labelled tracks that were removed from the dataset since and are left out here.
    """

    track_ids: pa.ChunkedArray
    side: npt.NDArray[np.int32]
    group: npt.NDArray[np.int32]
    groups: pa.Array
    track: npt.NDArray[np.int32]
    tag: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]
    positive: npt.NDArray[np.bool_]
    removed: int

    @property
    def tracks(self) -> int:
        return len(self.side)


def label_rows(labels: LabelVersion, stored: pa.Table) -> LabelRows:
    """The labels of the tracks that the dataset holds.

    Args:
        labels: The label version.
        stored: Columns track_id and group of every stored track.
    """
    place = pc.index_in(labels.table["track_id"], value_set=stored["track_id"].combine_chunks())
    table = labels.table.filter(pc.is_valid(place))
    groups = stored["group"].take(pc.drop_null(place)).combine_chunks().dictionary_encode()
    lists = table["tags"].combine_chunks()
    value = table["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return LabelRows(
        track_ids=table["track_id"],
        side=pc.index_in(table["split"], value_set=pa.array(SPLITS)).to_numpy().astype(np.int32),
        group=groups.indices.to_numpy().astype(np.int32),
        groups=groups.dictionary,
        track=lists.value_parent_indices().to_numpy().astype(np.int32),
        tag=lists.flatten().to_numpy().astype(np.int32),
        value=value,
        positive=value >= np.float32(labels.positive_at),  # NaN is not positive
        removed=labels.table.num_rows - table.num_rows,
    )
