"""The scores of single tracks, as an evaluation leaves them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.storage import exists
from training.stored_scores import read_stored_scores


@dataclasses.dataclass(frozen=True)
class ScoredTracks:
    """Tracks with what they are and what they were taken for.

    Attributes:
        track_ids: Arrow string array [tracks].
        tags: in the order of the columns below.
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown.
        scores: float32 [tracks, tags] in [0, 1].
        positive_at: least target that counts as positive.
        checkpoint: what names the weights that scored; empty where the file does not say.
    """

    track_ids: Any
    tags: tuple[str, ...]
    targets: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    positive_at: float
    checkpoint: str = ""

    def __len__(self) -> int:
        return len(self.track_ids)

    def positive(self, tag: int) -> npt.NDArray[np.bool_]:
        """Which tracks have a tag, bool [tracks]."""
        return self.targets[:, tag] >= np.float32(self.positive_at)  # NaN compares false

    def negative(self, tag: int) -> npt.NDArray[np.bool_]:
        """Which tracks are known not to have it, bool [tracks]."""
        return self.targets[:, tag] < np.float32(self.positive_at)


def read_scores(uri: str) -> ScoredTracks | None:
    """Read evaluation/SPLIT_scores.parquet; None where there is none.

    Raises:
        DatasetError: it is damaged.
    """
    if not exists(uri):
        return None
    stored = read_stored_scores(uri)
    of = stored.of
    ids = pa.array(stored.track_ids, pa.string())
    return ScoredTracks(ids, of.tags, stored.targets, stored.scores, of.positive_at, of.checkpoint)
