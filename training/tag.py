"""Tag audio files with a SavedModel. Needs nothing of the run that it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from pipeline.audio.causes import TrackRejected
from pipeline.audio.fetch import local_audio
from pipeline.audio.tracks import read_waveform
from schemas.errors import UserError
from schemas.features import FeatureSpec, WaveformSpec, spec_from_dict
from schemas.json_object import parse_json_object
from schemas.storage import absolute, exists, join, read_bytes
from training.export import MODEL_NAME
from training.records import as_float


@dataclasses.dataclass(frozen=True)
class TaggedFile:
    """A tagged file.

    Attributes:
        file: as it was given.
        seconds: of audio scored.
        scores: tag -> score in [0, 1], highest first; empty if the file was rejected.
        problem: why the file was rejected; None if it was tagged.
    """

    file: str
    seconds: float
    scores: dict[str, float]
    problem: str | None


def tag_files(model_uri: str, files: Sequence[str]) -> Iterator[TaggedFile]:
    """Score whole files, one after the other; each comes as soon as it is scored.

    Args:
        model_uri: a SavedModel that `export` wrote.
        files: audio files.

    Raises:
        UserError: no such model, one that `export` did not write, or a broken one.
    """
    spec = _spec(model_uri)
    waveform_spec = spec if isinstance(spec, WaveformSpec) else spec.waveform
    # The whole file, whatever excerpt the model was trained on: scores are averaged over all of its patches.
    waveform_spec = dataclasses.replace(waveform_spec, excerpt="full")
    score, tags = _load(model_uri)

    def tagged(file: str) -> TaggedFile:
        try:
            with local_audio(file) as audio:
                samples = read_waveform(audio.path, waveform_spec).samples
        except TrackRejected as rejected:
            return TaggedFile(file, 0.0, {}, str(rejected))
        values = score(waveform=tf.constant(as_float(samples)[None]))["scores"].numpy()[0]
        ranked = sorted(zip(tags, values.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
        return TaggedFile(file, len(samples) / waveform_spec.sample_rate, dict(ranked), None)

    return map(tagged, files)


def _spec(model_uri: str) -> FeatureSpec:
    """The features that a SavedModel takes from audio."""
    if not exists(join(model_uri, MODEL_NAME)):
        raise UserError(
            f"{model_uri}: expected a SavedModel, found no {MODEL_NAME}; `training/run.py export` writes one"
        )
    uri = join(model_uri, "assets", "feature_spec.json")
    if not exists(uri):
        raise UserError(
            f"{model_uri}: expected a SavedModel that `training/run.py export` wrote, found one without "
            "assets/feature_spec.json; export it again"
        )
    try:
        return spec_from_dict(parse_json_object(read_bytes(uri)))
    except (ValueError, UserError) as error:
        raise UserError(f"{uri}: expected a feature spec, a JSON object: {error}; export the model again") from error


def _load(model_uri: str) -> tuple[Any, list[str]]:
    """The served function of a SavedModel, and its tags in the order of the scores."""
    try:
        served = tf.saved_model.load(absolute(model_uri))  # TensorFlow reads a file:// URI letter by letter
        tags = [tag.decode() for tag in served.signatures["tags"]()["tags"].numpy()]
        return served.signatures["serving_default"], tags
    except tf.errors.ResourceExhaustedError:
        raise
    except Exception as error:  # what a broken file makes of the loader is of many types
        raise UserError(
            f"{model_uri}: expected a SavedModel that `training/run.py export` wrote, but it cannot be loaded "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); export it again"
        ) from error
