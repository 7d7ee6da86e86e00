"""The groups (artists) of labelled tracks, which an interval leaves out as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.dataset import Dataset


def track_groups(dataset: Dataset, track_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """The number of each track's group, from 0 without gaps in the order of the tracks, int64 [tracks].

    A track for which the catalog names no group forms its own group.
    """
    tracks = dataset.newest_tracks(["group"])
    place = pc.index_in(pa.array(track_ids, pa.string()), value_set=tracks["track_id"].combine_chunks())
    codes = tracks["group"].take(place).combine_chunks().dictionary_encode().indices
    numbers: npt.NDArray[np.int64] = codes.to_numpy().astype(np.int64)
    return numbers
