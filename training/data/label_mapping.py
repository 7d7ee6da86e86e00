"""Evaluate a model against labels other than those it was trained on: match the tags, and leave out seen tracks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.label_version import LabelVersion
from schemas.tables import SPLITS
from training.data.labels import LabelledTracks


@dataclasses.dataclass(frozen=True)
class LabelMapping:
    """A model's tags and those of a label version, matched by name.

    Attributes:
        labels: the version to evaluate against.
        tags: tags that both have, in the version's order.
        outputs: their indices among the model's outputs, int64 [tags].
        columns: their indices in the version's vocabulary, int64 [tags].
        unknown: tags of the version that the model does not have.
        unused: tags of the model that the version does not have.
    """

    labels: LabelVersion
    tags: tuple[str, ...]
    outputs: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    unknown: tuple[str, ...]
    unused: tuple[str, ...]

    def targets_of(self, tracks: LabelledTracks) -> LabelledTracks:
        """The tracks with targets of only the mapped tags, [tracks, tags]."""
        return dataclasses.replace(tracks, targets=tracks.targets[:, self.columns])


def map_labels(trained: LabelVersion, asked: LabelVersion) -> LabelMapping:
    """Match tags by name; raises UserError if the versions share none."""
    place = {tag: number for number, tag in enumerate(trained.vocabulary)}
    shared = [number for number, tag in enumerate(asked.vocabulary) if tag in place]
    if not shared:
        raise UserError(
            f"--label-set: {asked.reference} has none of the tags that the model was trained on ({trained.reference}): "
            f"{', '.join(trained.vocabulary[:5])}…; merge its tags under those names"
        )
    tags = tuple(asked.vocabulary[number] for number in shared)
    known = set(tags)
    return LabelMapping(
        labels=asked,
        tags=tags,
        outputs=np.array([place[tag] for tag in tags], np.int64),
        columns=np.array(shared, np.int64),
        unknown=tuple(tag for tag in asked.vocabulary if tag not in known),
        unused=tuple(tag for tag in trained.vocabulary if tag not in known),
    )


def was_seen(track_ids: Any, split: str, trained: LabelVersion) -> Any:
    """Which tracks of a split a model saw on an earlier side of its own split, as a column of booleans.

    Args:
        track_ids: a pyarrow column.
        split: split that the tracks belong to.
        trained: the version that the model was trained on.
    """
    earlier = pa.array(SPLITS[: SPLITS.index(split)], pa.string())
    seen = trained.table.filter(pc.is_in(trained.table["split"], value_set=earlier))["track_id"]
    return pc.is_in(track_ids, value_set=seen.combine_chunks())


def unseen(tracks: LabelledTracks, trained: LabelVersion, where: str) -> tuple[LabelledTracks, int]:
    """Tracks of a split without those that the model saw on an earlier side of its own split.

    Another version may have a different split: a test track that the model was trained on would flatter it, and so
    would a track by which its best epoch was chosen.

    Args:
        tracks: tracks of one split.
        trained: the version that the model was trained on.
        where: the version of `tracks`, for the error.

    Returns:
        The remaining tracks, and how many were left out.

    Raises:
        UserError: no track remains.
    """
    kept = ~was_seen(pa.array(tracks.track_ids), tracks.split, trained).to_numpy(zero_copy_only=False)
    if not kept.any():
        raise UserError(
            f"{where}: the model has seen all of its {len(tracks)} {tracks.split} tracks in training, since its split "
            f"differs from that of {trained.reference}; make it with the split {trained.manifest.split['name']}"
        )
    return tracks.taken(kept), int(np.count_nonzero(~kept))
