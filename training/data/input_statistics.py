"""Mean and deviation of a dataset's features, for models that normalise their input."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from schemas.console.progress import Progress
from training.data.records import TrackRecords, as_float

MEASURED_TRACKS = 1000  # evenly over the split; more tracks hardly change the statistics of a band
_READERS = 4


def input_statistics(records: TrackRecords) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and standard deviation of each mel band, or of a waveform's samples, float32 [bands].

    They are measured on some of the tracks, always the same ones.
    """
    tracks = len(records.tracks)
    numbers = np.unique(np.linspace(0, tracks - 1, min(tracks, MEASURED_TRACKS)).astype(np.int64)).tolist()

    def sums(number: int) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        values = as_float(records.read(number)).astype(np.float64)
        values = values.reshape(len(values), -1)
        return len(values), values.sum(axis=0), np.square(values).sum(axis=0)

    count, total, squares = 0, np.zeros(1), np.zeros(1)
    with ThreadPoolExecutor(_READERS) as readers, Progress("measure the input", len(numbers), "tracks") as progress:
        for done, (length, one, two) in enumerate(readers.map(sums, numbers), start=1):
            count, total, squares = count + length, total + one, squares + two
            progress.update(done)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
    return mean.astype(np.float32), deviation.astype(np.float32)
