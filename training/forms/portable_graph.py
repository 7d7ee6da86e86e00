"""The served functions of a tagger in the operations that ONNX and LiteRT know.

Patches lie as in `training/serving/served_tagger.py`, but log-mel is computed for one patch at a time, from the samples
under its frames, so that beside the signal and padded copies of it only one patch is in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from schemas.features import LogMelSpec
from schemas.filterbank import hann_window, mel_filterbank
from schemas.model_calibration import Calibration
from training.forms.calibrated import calibrated
from training.forms.frozen import FrozenTagger


class PortableTagger:
    """The served functions of a tagger.

    Args:
        tagger: scores patches.
        spec: the log-mel spec of a spectrogram model; None for a waveform model.
        power: float32 [batch, samples] -> the power spectrum of each frame, as `convolved_power` or `fourier_power`.
        calibration: of the scores of waveforms, if they are calibrated.
        hides_filterbank: keep it from a converter that stores constant factors of a product in fewer bits.
    """

    def __init__(
        self,
        tagger: FrozenTagger,
        spec: LogMelSpec | None,
        power: Callable[[Any, LogMelSpec], Any],
        calibration: Calibration | None = None,
        *,
        hides_filterbank: bool = False,
    ) -> None:
        self._tagger, self._spec, self._power, self._calibration = tagger, spec, power, calibration
        self._hides_filterbank = hides_filterbank
        self._patch = tagger.patch_shape[0]  # frames or samples

    def of_patches(self, patches: Any) -> dict[str, Any]:
        """`patches` float32 [batch, patch(, mels)] -> `scores` and `embedding` of each, neither averaged nor calibrated."""
        outputs = self._tagger(patches)
        taint = not_finite_rows(patches)
        return {name: outputs[name] + taint for name in ("scores", "embedding")}

    def of_waveform(self, waveform: Any) -> dict[str, Any]:
        """`waveform` float32 [batch, samples] -> `scores` and `embedding`, averaged over patches."""
        patch, hop = self._patch, self._spec.hop_length if self._spec else 1
        length = tf.shape(waveform)[1] // hop + (1 if self._spec else 0)  # in frames or samples
        beyond = tf.maximum(length - patch, 0)
        count = 1 + (beyond + patch - 1) // patch  # whole hops, plus one for a tail
        before = self._spec.n_fft // 2 if self._spec else 0
        under = (patch - 1) * hop + max(2 * before, 1)  # samples under the frames of a patch
        after = before + tf.maximum(patch - length, 0) * hop
        padded = tf.pad(waveform, [[0, 0], [before, after]])
        batch = tf.shape(waveform)[0]

        def add(number: Any, scores: Any, embeddings: Any) -> tuple[Any, Any, Any]:
            start = tf.minimum(number * patch, beyond)
            samples = tf.slice(padded, tf.stack([0, start * hop]), tf.stack([batch, under]))
            samples = tf.ensure_shape(samples, [None, under])
            outputs = self._tagger(self._patches(samples, length))
            taint = not_finite_rows(samples)
            return number + 1, scores + outputs["scores"] + taint, embeddings + outputs["embedding"] + taint

        _, scores, embeddings = tf.while_loop(
            lambda number, *_: number < count,
            add,
            (
                tf.constant(0),
                tf.zeros(tf.stack([batch, self._tagger.tags])),
                tf.zeros(tf.stack([batch, self._tagger.embedding])),
            ),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None, self._tagger.tags]),
                tf.TensorShape([None, self._tagger.embedding]),
            ),
            parallel_iterations=1,
        )
        patches = tf.cast(count, tf.float32)
        return {"scores": calibrated(scores / patches, self._calibration), "embedding": embeddings / patches}

    def _patches(self, samples: Any, length: Any) -> Any:
        if self._spec is None:
            return samples
        filterbank = tf.constant(mel_filterbank(self._spec.sample_rate, self._spec.n_fft, self._spec.mels))
        if self._hides_filterbank:
            filterbank = tf.where(length > 0, filterbank, 0.0)  # as it always is, which no converter knows
        mels = tf.matmul(self._power(samples, self._spec), filterbank)
        logmel = tf.math.log(1.0 + self._spec.gain * mels) / tf.math.log(10.0)
        # The windows of frames after the last one still reach the tail; a stored track does not have these frames.
        own = tf.range(self._patch) < length
        return tf.where(own[tf.newaxis, :, tf.newaxis], logmel, 0.0)


def convolved_power(samples: Any, spec: LogMelSpec) -> Any:
    """Power spectra by one convolution with windowed waves, for runtimes without a complex type.

    Args:
        samples: float32 [batch, samples].
        spec: window and hop length.

    Returns:
        float32 [batch, frames, n_fft // 2 + 1].
    """
    bins = spec.n_fft // 2 + 1
    angles = 2 * np.pi * (np.outer(np.arange(spec.n_fft), np.arange(bins)) % spec.n_fft) / spec.n_fft
    window = hann_window(spec.n_fft).astype(np.float64)[:, np.newaxis]
    waves = np.concatenate([window * np.cos(angles), window * np.sin(angles)], axis=1).astype(np.float32)
    parts = tf.nn.conv1d(samples[:, :, tf.newaxis], tf.constant(waves[:, np.newaxis, :]), spec.hop_length, "VALID")
    return tf.square(parts[:, :, :bins]) + tf.square(parts[:, :, bins:])


def fourier_power(samples: Any, spec: LogMelSpec) -> Any:
    """The same by a Fourier transform of each frame."""
    frames = tf.signal.frame(samples, spec.n_fft, spec.hop_length)
    spectrum = tf.signal.rfft(frames * tf.constant(hann_window(spec.n_fft)))
    return tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))


def not_finite_rows(inputs: Any) -> Any:
    """NaN for rows with a number that is not finite, and 0 for the others, to be added to what comes of them.

    Runtimes differ in whether a maximum passes NaN on. Without this, such a row could get scores that look sound.

    Args:
        inputs: float32 [batch, …].

    Returns:
        float32 [batch, 1].
    """
    total = tf.reduce_sum(tf.abs(inputs), axis=list(range(1, len(inputs.shape))))[:, tf.newaxis]
    return tf.where(total < np.float32(np.inf), 0.0, np.float32(np.nan))
