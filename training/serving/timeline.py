"""The timelines of `tag --timeline`: for each file, the scores of its patches as a CSV file and as a picture."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.audio.logmel import ReadSamples, logmel_blocks
from schemas.storage.files import join, make_folder, publish, spool, write_atomic
from schemas.storage.output_folders import require_writable
from training.serving.row_means import RowMeans
from training.serving.saved_model import SavedModel
from training.serving.score_csv import header_cells, number_cells, open_csv
from training.serving.tag import SeePatches, whole_file_spec
from training.serving.timeline_names import timeline_names
from training.serving.timeline_picture import TimelinePicture, draw_timeline

COLUMNS = ("start_seconds", "end_seconds")  # before a column for each tag
MOST_LINES = 10  # in a picture, which has no more colours
_MOST_COLUMNS = 1000  # of a spectrogram or of a line, about as many as the picture has


class Timelines:
    """Writes NAME.csv and NAME.png for each file that is tagged, over those that are there.

    A file's patches are written as they are scored, and only means over time are kept for its picture.

    Args:
        folder: where to.
        model: the model that scores.
        files: all files that will be tagged, from which the names follow.
        top: tags in a picture, those with the highest scores; at most `MOST_LINES`.

    Raises:
        UserError: the folder is a file, or cannot be written in.
    """

    def __init__(self, folder: str, model: SavedModel, files: Sequence[str], top: int) -> None:
        require_writable(folder)
        make_folder(folder)
        self._folder, self._model = folder, model
        self._names = timeline_names(files)
        self._lines = min(top, MOST_LINES, len(model.tags))

    @contextlib.contextmanager
    def of(self, file: str, read: ReadSamples, samples: int) -> Iterator[SeePatches]:
        """Watch a file being scored; its timeline appears once all of it is.

        Args:
            file: one of the files.
            read: returns its waveform from one sample up to another, int16.
            samples: length of the waveform.

        Yields:
            A function to be called with the scores of the patches, float32 [patches, tags], a batch at a time.
        """
        bounds = self._model.patch_bounds(samples)
        means = patch_means(self._model, samples)
        uri = join(self._folder, f"{self._names[file]}.csv")
        with spool(uri) as path:
            with open_csv(path) as text:
                writer = csv.writer(text)
                writer.writerow(header_cells(COLUMNS, self._model.tags))
                rows = iter(bounds)

                def see(scores: npt.NDArray[np.float32]) -> None:
                    means.add(scores)
                    writer.writerows(number_cells([*next(rows), *one]) for one in scores)

                yield see
            picture = picture_of(self._model, file, read, samples, means, self._lines)
            publish(path, uri)
        write_atomic(join(self._folder, f"{self._names[file]}.png"), draw_timeline(picture))


def picture_of(
    model: SavedModel, title: str, read: ReadSamples, samples: int, means: RowMeans, lines: int
) -> TimelinePicture:
    """What is drawn of a waveform that was scored.

    Args:
        model: the model that scored it.
        title: above the picture, before the length.
        read: returns the waveform from one sample up to another, int16.
        samples: its length.
        means: of the scores of its patches, as `patch_means` makes them.
        lines: tags that are drawn, those with the highest scores; at most `MOST_LINES`.
    """
    spec = whole_file_spec(model.spec)
    bounds = model.patch_bounds(samples)
    seconds = samples / spec.sample_rate
    frames = spec.frames(samples)
    logmel = RowMeans(frames, spec.mels, _MOST_COLUMNS)
    for block in logmel_blocks(read, samples, spec):
        logmel.add(block)
    scores = means.means()
    top = np.argsort(-means.mean(), kind="stable")[: min(lines, MOST_LINES)]
    return TimelinePicture(
        title=f"{title} ({seconds:.1f} s)",
        seconds=seconds,
        sample_rate=spec.sample_rate,
        logmel=logmel.means(),
        logmel_edges=np.append(logmel.firsts, frames) * (spec.hop_length / spec.sample_rate),
        tags=[model.tags[number] for number in top],
        scores=scores[:, top],
        score_edges=np.append(bounds[means.firsts, 0], bounds[-1, 1]),
    )


def patch_means(model: SavedModel, samples: int) -> RowMeans:
    """Means that the scores of a waveform's patches are added to, in as many columns as a picture has."""
    return RowMeans(len(model.patch_bounds(samples)), len(model.tags), _MOST_COLUMNS)
