"""Tag audio files with a SavedModel: each is decoded in a separate process, and scored a few patches at a time."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import TrackRejected
from pipeline.audio.fetch import local_audio
from pipeline.audio.isolation import DecodingProcess
from pipeline.audio.logmel import ReadSamples, logmel_blocks
from schemas.features import FeatureSpec, LogMelSpec, logmel_over, with_excerpt
from training.data.records import as_float
from training.serving.saved_model import SavedModel

READ_SAMPLES = 1 << 16  # samples of a waveform read at a time

SeePatches = Callable[[npt.NDArray[np.float32]], object]  # takes the scores of some patches, [patches, tags]
# Begins to watch a file being scored, from its name, what reads its waveform, and its length in samples.
WatchFile = Callable[[str, ReadSamples, int], contextlib.AbstractContextManager[SeePatches]]


@dataclasses.dataclass(frozen=True)
class TaggedFile:
    """A tagged file.

    Attributes:
        file: path or URI as it was given.
        seconds: length of the audio scored.
        scores: tag -> score in [0, 1], highest first; empty if the file was rejected.
        assigned: the tags whose score reaches the model's threshold, highest score first; None if the model has none.
        problem: why the file was rejected, its typed cause first; None if it was tagged.
    """

    file: str
    seconds: float
    scores: dict[str, float]
    problem: str | None
    assigned: tuple[str, ...] | None = None


def tag_files(model_uri: str, files: Sequence[str]) -> Iterator[TaggedFile]:
    """Score whole files one after the other; each is yielded as soon as it is scored, even if others are rejected.

    Args:
        model_uri: a SavedModel that `export` wrote.
        files: audio files.

    Raises:
        UserError: there is no such model, `export` did not write it, or it is broken.
    """
    return tag_with(SavedModel(model_uri), files)


def tag_with(model: SavedModel, files: Sequence[str], watch: WatchFile | None = None) -> Iterator[TaggedFile]:
    """Do the same with a model that is already loaded.

    Args:
        model: the model.
        files: audio files.
        watch: entered for each file that was decoded, before it is scored; what it yields sees the scores of its patches.
    """
    spec = whole_file_spec(model.spec)
    with DecodingProcess(spec) as decoding:
        for file in files:
            try:
                with local_audio(file) as audio:
                    waveform = decoding.features(audio.path, audio.pieces).waveform
            except TrackRejected as rejected:
                yield TaggedFile(file, 0.0, {}, str(rejected))
                continue
            samples = waveform.shape[0]
            watching = contextlib.nullcontext() if watch is None else watch(file, waveform.part, samples)
            with watching as see:
                scores = model.scores(feature_blocks(waveform.part, samples, model.spec), see).tolist()
            ranked = ranked_scores(model.tags, scores)
            yield TaggedFile(file, samples / spec.sample_rate, ranked, None, _assigned(ranked, model))


def ranked_scores(tags: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """Tag -> score, the highest first; equal ones by name."""
    return dict(sorted(zip(tags, scores, strict=True), key=lambda pair: (-pair[1], pair[0])))


def _assigned(ranked: dict[str, float], model: SavedModel) -> tuple[str, ...] | None:
    if not model.thresholds:
        return None
    return tuple(
        tag for tag, score in ranked.items() if (least := model.thresholds[tag]) is not None and score >= least
    )


def whole_file_spec(spec: FeatureSpec) -> LogMelSpec:
    """The spec for decoding whole files, whatever excerpt the model was trained on, since patches are averaged."""
    return with_excerpt(logmel_over(spec), "full")


def feature_blocks(read: ReadSamples, samples: int, spec: FeatureSpec) -> Iterator[npt.NDArray[np.float32]]:
    """The feature that a model reads, block by block. Log-mel is computed again, since stored values are float16.

    Args:
        read: returns the stored waveform from one sample up to another, int16.
        samples: length of the waveform.
        spec: spec of the feature.
    """
    if isinstance(spec, LogMelSpec):
        return logmel_blocks(read, samples, spec)
    return (as_float(read(first, min(first + READ_SAMPLES, samples))) for first in range(0, samples, READ_SAMPLES))
