"""A SavedModel that `export` wrote: the features it reads, and scores of signals of any length in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.console.errors import UserError
from schemas.console.shown_commands import training_command
from schemas.features import FeatureSpec, LogMelSpec, spec_from_dict
from schemas.model_calibration import CALIBRATION_NAME, Calibration, calibrated_scores, parse_calibration
from schemas.model_forms import ASSETS, FORM_NAMES, MARKERS, forms_in
from schemas.model_thresholds import THRESHOLDS_NAME, parse_thresholds
from schemas.patches import patch_starts
from schemas.storage.files import absolute, exists, join, read_bytes
from schemas.storage.json_object import parse_json_object
from training.config import MOST_PATCH_SECONDS
from training.models.patches import patch_length, patches_of

SECONDS_AT_ONCE = 15.0  # of audio that go through the model together; its activations take some MB a second


class SavedModel:
    """A tagger that needs nothing from the run that it came from.

    Args:
        uri: folder of a SavedModel that `export` wrote.

    Attributes:
        spec: the features that it reads.
        tags: the tags in the order of its scores.
        thresholds: tag -> lowest score at which it is assigned, None for a tag that never is; empty if the model has none.

    Raises:
        UserError: there is no such model, `export` did not write it, or it is broken.
    """

    def __init__(self, uri: str) -> None:
        if not exists(join(uri, MARKERS["savedmodel"])):
            found = " and ".join(FORM_NAMES[form] for form in forms_in(uri)) or f"no {MARKERS['savedmodel']}"
            raise UserError(
                f"{uri}: expected a SavedModel, found {found}; write one with `{training_command('export')}`"
            )
        self._uri = uri
        self.spec = _spec(_asset(uri, "feature_spec.json"))
        seconds = _patch_seconds(_asset(uri, "config.json"))
        if isinstance(self.spec, LogMelSpec):
            # Frames are computed over the whole signal, so that those at a patch's edges include their neighbours.
            self._input, signature = "logmel", "logmel"
            self._patch = patch_length(seconds, "spectrogram", self.spec.hop_length)
        else:
            self._input, signature = "waveform", "serving_default"
            self._patch = patch_length(seconds, "waveform")
        is_calibrated = exists(join(uri, ASSETS, CALIBRATION_NAME))
        if is_calibrated:
            self._input = signature = "patches"  # whose scores are averaged before they are calibrated
        self._at_once = max(1, int(SECONDS_AT_ONCE / seconds))
        signatures, self.tags = _load(uri, signature)
        self._served, self._of_patches = signatures[signature], signatures.get("patches")
        self.thresholds = _thresholds(uri, self.tags)
        self._calibration = _calibration(uri, self.tags) if is_calibrated else None

    def patch_bounds(self, samples: int) -> npt.NDArray[np.float64]:
        """Where the patches of a waveform begin and end, in seconds.

        Args:
            samples: length of the waveform, after which no patch ends.

        Returns:
            float64 [patches, 2], in the order in which `scores` sees the patches.
        """
        hop = self.spec.hop_length if isinstance(self.spec, LogMelSpec) else 1
        length = self.spec.frames(samples) if isinstance(self.spec, LogMelSpec) else samples
        starts = patch_starts(length, self._patch)
        bounds: npt.NDArray[np.float64] = np.minimum(np.stack([starts, starts + self._patch], axis=1) * hop, samples)
        return bounds / self.spec.sample_rate

    def scores(
        self,
        blocks: Iterable[npt.NDArray[np.float32]],
        see: Callable[[npt.NDArray[np.float32]], object] | None = None,
    ) -> npt.NDArray[np.float64]:
        """The scores that `serving_default` returns for a whole signal, except for rounding.

        Args:
            blocks: the signal in order: log-mel float32 [frames, mels], or a waveform float32 [samples].
            see: called with the scores of the patches, float32 [patches, tags], a batch at a time; each is calibrated as
                that of a track of one patch.

        Returns:
            float64 [tags], averaged over patches.
        """
        return self._means(self._served, self._input, ("scores",), blocks, see)[0]

    def scores_and_embedding(
        self,
        blocks: Iterable[npt.NDArray[np.float32]],
        see: Callable[[npt.NDArray[np.float32]], object] | None = None,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The same scores, and the embedding of the signal, as `pipeline.run tag` stores it.

        Args:
            blocks: as of `scores`.
            see: as of `scores`.

        Returns:
            float64 [tags] and float64 [width], averaged over patches.

        Raises:
            UserError: an earlier version exported the model, which does not give the embeddings of patches.
        """
        if self._of_patches is None:
            raise UserError(
                f"{self._uri}: expected a model with the signature `patches`, found an older one; export it again"
            )
        scores, embedding = self._means(self._of_patches, "patches", ("scores", "embedding"), blocks, see)
        return scores, embedding

    def _means(
        self,
        served: Any,
        given: str,
        wanted: tuple[str, ...],
        blocks: Iterable[npt.NDArray[np.float32]],
        see: Callable[[npt.NDArray[np.float32]], object] | None,
    ) -> list[npt.NDArray[np.float64]]:
        """Means over patches of the wanted outputs, the first of which are the scores."""
        totals: list[npt.NDArray[np.float64]] = []
        count = 0
        for batch in _batches(patches_of(blocks, self._patch), self._at_once):
            outputs = served(**{given: tf.constant(batch)})
            values = [outputs[name].numpy() for name in wanted]
            sums = [one.sum(axis=0, dtype=np.float64) for one in values]
            totals = [total + one for total, one in zip(totals, sums, strict=True)] if totals else sums
            count += len(batch)
            if see is not None:
                see(
                    calibrated_scores(values[0], self._calibration).astype(np.float32)
                    if self._calibration
                    else values[0]
                )
        scores, *others = (total / count for total in totals)
        return [calibrated_scores(scores, self._calibration), *others]


def _batches(patches: Iterator[npt.NDArray[np.float32]], size: int) -> Iterator[npt.NDArray[np.float32]]:
    """Batches of `size` patches, then the remaining patches one by one: there is no third shape, and no scored padding."""
    while batch := list(itertools.islice(patches, size)):
        if len(batch) == size:
            yield np.stack(batch)
        else:
            yield from (patch[np.newaxis] for patch in batch)


def _asset(uri: str, name: str) -> str:
    asset = join(uri, ASSETS, name)
    if not exists(asset):
        raise UserError(
            f"{uri}: expected a SavedModel that `export` wrote, found one without {ASSETS}/{name}; export it again"
        )
    return asset


def _spec(uri: str) -> FeatureSpec:
    try:
        return spec_from_dict(parse_json_object(read_bytes(uri)))
    except (ValueError, UserError) as error:
        raise UserError(f"{uri}: expected a feature spec, a JSON object: {error}; export the model again") from error


def _patch_seconds(uri: str) -> float:
    # Only the needed field of the configuration is read: a model outlives the fields of the version that wrote it.
    try:
        seconds = parse_json_object(read_bytes(uri)).get("patch_seconds")
    except (ValueError, UserError) as error:
        raise UserError(f"{uri}: expected a configuration, a JSON object: {error}; export the model again") from error
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= MOST_PATCH_SECONDS:
        raise UserError(
            f"{uri}: patch_seconds: expected more than 0 and at most {MOST_PATCH_SECONDS}, received {seconds!r}; "
            "export the model again"
        )
    return float(seconds)


def _thresholds(uri: str, tags: list[str]) -> dict[str, float | None]:
    name = join(uri, ASSETS, THRESHOLDS_NAME)
    if not exists(name):
        return {}
    try:
        return dict(zip(tags, parse_thresholds(read_bytes(name), tags), strict=True))
    except (ValueError, UserError) as error:
        raise UserError(f"{name}: {error}; export the model again") from error


def _calibration(uri: str, tags: list[str]) -> Calibration:
    name = join(uri, ASSETS, CALIBRATION_NAME)
    try:
        return parse_calibration(read_bytes(name), len(tags))
    except (ValueError, UserError) as error:
        raise UserError(f"{name}: {error}; export the model again") from error


def _load(uri: str, signature: str) -> tuple[Any, list[str]]:
    """Load the served functions of a SavedModel, one of which it must have, and its tags in the order of the scores."""
    try:
        served = tf.saved_model.load(absolute(uri))  # TensorFlow reads a file:// URI literally
        tags = [tag.decode() for tag in served.signatures["tags"]()["tags"].numpy()]
        served.signatures[signature]  # raises for a model without
        return dict(served.signatures), tags
    except tf.errors.ResourceExhaustedError:
        raise
    except (PermissionError, tf.errors.PermissionDeniedError) as error:
        words = " ".join(str(error).split())[:200]
        raise UserError(f"{uri}: cannot be read: {words}; give this user the right to read its files") from error
    except Exception as error:  # a broken file makes the loader raise errors of many types
        raise UserError(
            f"{uri}: expected a SavedModel that `export` wrote, but it cannot be loaded "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); export it again"
        ) from error
