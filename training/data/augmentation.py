"""Augmentation of training patches (masks, pitch, gain, polarity, mixup), each draw a function of (seed, epoch, track).

Masks over time and frequency follow SpecAugment (Park et al., arXiv:1904.08779), without its warping; mixup follows
Zhang et al., arXiv:1710.09412, between neighbours in a replica's share of a batch.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.features import SAMPLE_RATE
from training.config import TrainConfig

DECIBELS_PER_FACTOR_OF_TEN = 20.0


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentations to apply, and their strengths.

    Attributes:
        time_masks: number of time masks in each patch.
        time_mask_frames: length of the longest time mask in frames.
        frequency_masks: number of frequency masks in each patch.
        frequency_mask_bands: width of the widest frequency mask in mel bands.
        pitch_shift_bands: number of mel bands by which a patch is moved up or down at most.
        gain_db: largest gain or loss in dB.
        flip_polarity: invert the polarity of half of the waveforms.
        mixup: parameter of the Beta distribution that pairs are mixed by; 0 for none.
    """

    time_masks: int = 0
    time_mask_frames: int = 1
    frequency_masks: int = 0
    frequency_mask_bands: int = 1
    pitch_shift_bands: int = 0
    gain_db: float = 0.0
    flip_polarity: bool = False
    mixup: float = 0.0

    @classmethod
    def of(cls, config: TrainConfig) -> Augmentation:
        names = (
            *("time_masks", "frequency_masks", "frequency_mask_bands", "pitch_shift_bands"),
            *("gain_db", "flip_polarity", "mixup"),
        )
        frames = round(config.time_mask_seconds * SAMPLE_RATE / config.hop_length)
        return cls(time_mask_frames=max(1, frames), **{name: getattr(config, name) for name in names})

    @property
    def is_on(self) -> bool:
        return self != Augmentation(
            time_mask_frames=self.time_mask_frames, frequency_mask_bands=self.frequency_mask_bands
        )

    def mask(self, patch: npt.NDArray[np.float16], rng: np.random.Generator) -> None:
        """Replace some frames and some bands by the patch's mean, in place; log-mel [frames, mels]."""
        if not (self.time_masks or self.frequency_masks):
            return
        mean = patch.mean(dtype=np.float32)
        frames, mels = patch.shape
        for _ in range(self.time_masks):
            first, size = _span(rng, frames, self.time_mask_frames)
            patch[first : first + size] = mean
        for _ in range(self.frequency_masks):
            first, size = _span(rng, mels, self.frequency_mask_bands)
            patch[:, first : first + size] = mean

    def shift(self, patch: npt.NDArray[np.float16], rng: np.random.Generator) -> None:
        """Move a patch up or down by some mel bands, in place; log-mel [frames, mels].

        The outermost band fills the bands that become free. On a mel scale this approximates another pitch, and a voice or
        an instrument of another size.
        """
        if self.pitch_shift_bands:
            bands = int(rng.integers(-self.pitch_shift_bands, self.pitch_shift_bands + 1))
            mels = patch.shape[1]
            patch[:] = patch[:, np.clip(np.arange(mels) - bands, 0, mels - 1)]

    def scale(self, rng: np.random.Generator) -> float:
        """The factor that a waveform is multiplied by, or the one that a log-mel was computed from."""
        gain = rng.uniform(-self.gain_db, self.gain_db) if self.gain_db else 0.0
        sign = rng.choice((-1.0, 1.0)) if self.flip_polarity else 1.0
        return float(sign * 10.0 ** (gain / DECIBELS_PER_FACTOR_OF_TEN))

    def share(self, rng: np.random.Generator) -> float:
        """The share of the first track in a mixed pair."""
        return float(rng.beta(self.mixup, self.mixup)) if self.mixup else 1.0


NO_AUGMENTATION = Augmentation()


def louder(logmel: Any, scales: Any) -> Any:
    """The log-mel of waveforms that are multiplied by a factor, from the log-mel of the waveforms.

    Args:
        logmel: float32 [batch, frames, mels], log10(1 + gain * power).
        scales: float32 [batch], factors of the waveforms.

    Returns:
        float32 [batch, frames, mels], log10(1 + gain * factor^2 * power).
    """
    power = tf.math.expm1(logmel * math.log(10)) * tf.square(scales)[:, tf.newaxis, tf.newaxis]
    return tf.math.log1p(power) / math.log(10)


def _span(rng: np.random.Generator, length: int, longest: int) -> tuple[int, int]:
    """Start and length of a mask: a length of 0 to `longest`, within `length`."""
    size = int(rng.integers(min(longest, length) + 1))
    return int(rng.integers(length - size + 1)), size


def mixed_targets(
    targets: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], shares: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Targets and weights of pairs: each track is paired with the one before it, the first with the last.

    The mixed loss, a weighted sum of the losses against both tracks' targets, is the loss against their weighted mean, up
    to a constant for squared errors; if the target of one track is unknown, the other's is used.

    Args:
        targets: float32 [tracks, tags], 0 where unknown.
        weights: float32 [tracks, tags], 0 where unknown, else 1.
        shares: float32 [tracks], share of the track itself in its pair.
    """
    own = shares[:, None] * weights
    other = (1 - shares[:, None]) * np.roll(weights, 1, axis=0)
    total = own + other
    mixed = own * targets + other * np.roll(targets, 1, axis=0)
    return np.divide(mixed, total, out=np.zeros_like(mixed), where=total > 0), total
