"""A SavedModel in a program: it scores a waveform in memory, or audio files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.audio.int16_samples import stored_samples
from schemas.features import FeatureSpec
from training.serving.saved_model import SavedModel
from training.serving.tag import TaggedFile, feature_blocks, tag_with


class Tagger:
    """A tagger that is loaded once and scores many tracks; `load_tagger` makes one.

    Attributes:
        tags: the tags in the order of its scores.
        spec: the features that it reads.
    """

    def __init__(self, model: SavedModel) -> None:
        self._model = model
        self.tags: list[str] = model.tags
        self.spec: FeatureSpec = model.spec

    def scores(self, waveform: npt.NDArray[np.int16] | npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Score one waveform; for `load_waveform(file, "full")` the scores equal those that `tag` yields for the file.

        Args:
            waveform: [samples], mono at 16 kHz: int16 as `pipeline.audio.load_waveform` returns it, or floats with full
                scale at 1.

        Returns:
            float64 [tags] from 0 to 1, averaged over the waveform's patches.

        Raises:
            UserError: the waveform has a different type or shape, or samples that are not finite.
        """
        samples = stored_samples(waveform)
        return self._model.scores(feature_blocks(lambda first, end: samples[first:end], len(samples), self.spec))

    def tag(self, files: str | Sequence[str]) -> Iterator[TaggedFile]:
        """Score whole audio files one after the other, each decoded in a separate process; a bad one has a `problem`.

        Args:
            files: one path or URI, or several.
        """
        return tag_with(self._model, [files] if isinstance(files, str) else files)


def load_tagger(uri: str) -> Tagger:
    """Load a SavedModel that `export` wrote; it needs nothing from the run that it came from.

    >>> from pipeline.audio import load_waveform
    >>> from training import load_tagger
    >>> tagger = load_tagger("runs/a/saved_model")
    >>> sorted(tagger.tags), tagger.scores(load_waveform("song.mp3", "full")).shape
    (['bass', 'noise', 'tremolo'], (3,))
    >>> [one.problem for one in tagger.tag(["song.mp3", "missing.mp3"])]
    [None, 'not_found: no such file']

    Args:
        uri: folder of the SavedModel.

    Raises:
        UserError: there is no such model, `export` did not write it, or it is broken.
    """
    return Tagger(SavedModel(uri))
