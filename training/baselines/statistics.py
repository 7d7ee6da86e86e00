"""The baselines' features of a track: simple statistics of its log-mel spectrogram, for any length."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.records import TrackRecords, as_float

READERS = 4  # threads; their computations release Python's lock
BLOCK = 256  # tracks passed to the threads at a time, to avoid a queue of a million


def track_statistics(
    records: TrackRecords, on_progress: Callable[[int], None] | None = None
) -> npt.NDArray[np.float32]:
    """Statistics of every track, one spectrogram in memory per thread.

    Args:
        records: log-mel records.
        on_progress: called with the number of tracks read.

    Returns:
        float32 [tracks, 3 * mels], in the order of the tracks: see `statistics_of`.

    Raises:
        DatasetError: a record is damaged.
    """
    count = len(records.tracks)
    rows: list[npt.NDArray[np.float32]] = []
    with ThreadPoolExecutor(READERS) as pool:
        for start in range(0, count, BLOCK):
            block = range(start, min(start + BLOCK, count))
            for row in pool.map(lambda number: statistics_of(records.read(number)), block):
                rows.append(row)
                if on_progress is not None:
                    on_progress(len(rows))
    return np.stack(rows)


def statistics_of(logmel: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Mean and deviation over time of each band, and the deviation of its change from frame to frame.

    The first two describe the colour of the sound, the third how restless each band is: percussion against pads.

    Args:
        logmel: [frames, mels].

    Returns:
        float32 [3 * mels].
    """
    values = as_float(logmel)
    changes = np.diff(values, axis=0) if len(values) > 1 else np.zeros_like(values)
    return np.concatenate([values.mean(axis=0), values.std(axis=0), changes.std(axis=0)])
