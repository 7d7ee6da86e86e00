"""Weights and inputs that follow from a formula, equal for the authors' graph and for ours, with any numpy version."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np
import numpy.typing as npt

EXAMPLES = 2
TAGS = 50
MELS = 96
DENSE_UNITS = 500
_INPUT_STREAM = 1000  # after the streams of the weights
_LEVEL_STREAM = 1001
_PIECES = 5  # number of pieces of different loudness in an input


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and the length of its input.

    Attributes:
        frontend: front-end of the model.
        length: number of frames, or of samples (waveform).
        num_filt: `num_filt` of the spectrogram front-end; the others are as published.
    """

    frontend: Literal["spectrogram", "waveform", "musicnn", "vgg"]
    length: int
    num_filt: int = 16

    @property
    def name(self) -> str:
        filters = f" with num_filt {self.num_filt}" if self.frontend == "spectrogram" else ""
        return f"{self.frontend} of {self.length}{filters}"


CASES = (
    Case("spectrogram", 187, num_filt=16),  # 3 s; an odd number of frames reaches the pool of 2
    Case("spectrogram", 60, num_filt=8),  # fewer frames than most temporal filters span
    Case("waveform", 59_049),
    Case("waveform", 60_001),  # leaves other remainders at the pools
    Case("musicnn", 187),  # its own 3 s
    Case("musicnn", 60),
    Case("vgg", 187),
    Case("vgg", 70),  # leaves other remainders at the pools
)


def uniform(stream: int, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Numbers in [-1, 1) in row-major order: the top 24 bits of splitmix64 at stream * 2**32 + 1, + 2, …"""
    numbers = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) + np.uint64(stream << 32)
    numbers *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    numbers ^= numbers >> np.uint64(31)
    return (numbers >> np.uint64(40)).astype(np.float64).reshape(shape) / 2**23 - 1


def weight(number: int, kind: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """The weight for the `number`-th variable that the authors' graph makes, counted from 0.

    Args:
        number: number of the variable; moving statistics count too.
        kind: kernel, bias, gamma, beta, moving_mean or moving_variance.
        shape: shape of the weight; the last dimension of a kernel is the number of its outputs.
    """
    numbers = uniform(number, shape)
    values = {
        "kernel": numbers * math.sqrt(6 / math.prod(shape[:-1])),  # the variance of He's initializer, 2 / fan-in
        "bias": numbers * 0.1,
        "gamma": numbers + 0.5,  # a quarter is negative
        "beta": numbers * 0.5,
        "moving_mean": numbers * 0.5 + 0.5,
        "moving_variance": numbers * 0.5 + 1,
    }[kind]
    return values.astype(np.float32)


def inputs(case: Case) -> npt.NDArray[np.float32]:
    """Inputs [examples, frames, mels] from 0 to 2, or [examples, samples] from -4 to 4, with a level that varies by piece."""
    shape = (EXAMPLES, case.length) if case.frontend == "waveform" else (EXAMPLES, case.length, MELS)
    piece = np.arange(case.length) * _PIECES // case.length
    level = (uniform(_LEVEL_STREAM, (EXAMPLES, _PIECES)) / 2 + 0.5)[:, piece]
    numbers = uniform(_INPUT_STREAM, shape)
    if case.frontend == "waveform":
        return (numbers * level * 4).astype(np.float32)
    return ((numbers + 1) * level[..., None]).astype(np.float32)
