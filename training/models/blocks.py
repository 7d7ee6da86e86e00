"""The seeded layers that the front-ends and the back-end are built of."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import keras

from training.models.dropout import StepDropout
from training.models.folded_convolution import FoldedConv1D
from training.models.fork import Fork
from training.models.image_convolution import ImageConv
from training.models.normalization import BatchNorm


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Makes layers that share a seed, a precision, a weight decay and a kind of batch norm.

    A layer's initial weights are a function of (seed, the layer's name), so they depend neither on the order in
    which layers are made nor on other random draws of the process.

    Attributes:
        seed: Seed of the whole model.
        dtype_policy: Keras dtype policy of the layers, ``"float32"`` or ``"mixed_bfloat16"`` for instance.
        l2: Weight decay ``c``, adding ``c / 2 * sum(kernel ** 2)`` per kernel.
        batch_norm_momentum: Share of the moving statistics that a step keeps.
        synchronized_batch_norm: Take batch statistics over all replicas.
    """

    seed: int
    dtype_policy: str
    l2: float
    batch_norm_momentum: float
    synchronized_batch_norm: bool

    def conv1d(self, inputs: Any, filters: int, width: int, *, name: str, **options: Any) -> Any:
        """Convolves [batch, steps, channels] to [batch, steps', filters], then ReLU."""
        layer = keras.layers.Conv1D(filters, width, activation="relu", name=name, **options, **self._kernel(name))
        return layer(inputs)

    def conv2d(self, inputs: Any, filters: int, size: tuple[int, int], *, name: str, **options: Any) -> Any:
        """Convolves [batch, rows, columns, channels] to [batch, rows', columns', filters], then ReLU."""
        layer = keras.layers.Conv2D(filters, size, activation="relu", name=name, **options, **self._kernel(name))
        return layer(inputs)

    def linear_conv2d(self, inputs: Any, filters: int, size: int, *, name: str, **options: Any) -> Any:
        """Convolves [batch, rows, columns, channels] to [batch, rows', columns', filters], without bias or ReLU."""
        return keras.layers.Conv2D(filters, size, use_bias=False, name=name, **options, **self._kernel(name))(inputs)

    def dense(self, inputs: Any, units: int, *, name: str, activation: str | None = None) -> Any:
        """Maps [batch, features] to [batch, units]."""
        return keras.layers.Dense(units, activation=activation, name=name, **self._kernel(name))(inputs)

    def batch_norm(self, inputs: Any, *, name: str, pool: int = 1) -> Any:
        """Normalises each channel of [batch, …, channels] over everything else, then takes the largest of `pool`."""
        return BatchNorm(pool=pool, name=name, **self._norm())(inputs)

    def deferred_batch_norm(
        self, inputs: Any, *, name: str, pool: int = 1, scalar: bool = False
    ) -> tuple[Any, Any, Any]:
        """Defers batch norm to a convolution that takes what this returns: the numbers, their scale and their shift."""
        layer = BatchNorm(pool=pool, scalar=scalar, deferred=True, name=name, **self._norm())
        numbers, scale, shift = layer(inputs)
        return numbers, scale, shift

    def image_conv(
        self, deferred: tuple[Any, Any, Any], filters: int, size: tuple[int, int], *, name: str, pad_mels: bool = False
    ) -> Any:
        """Convolves the normalised image [batch, frames, mels] to [batch, frames, positions, filters], then ReLU."""
        return ImageConv(filters, size, pad_mels=pad_mels, name=name, **self._kernel(name))(deferred)

    def fork(self, inputs: Any, copies: int, *, name: str) -> tuple[Any, ...]:
        """The same tensor for several layers, if there are more than two of them."""
        return tuple(Fork(copies, name=name, dtype=self.dtype_policy)(inputs))

    def conv1d_after_norm(self, deferred: tuple[Any, Any, Any], filters: int, width: int, *, name: str) -> Any:
        """Convolves the normalised [batch, steps, channels] without padding to [batch, steps', filters], then ReLU."""
        return FoldedConv1D(filters, width, name=name, **self._kernel(name))(deferred)

    def scalar_batch_norm(self, inputs: Any, *, name: str) -> Any:
        """Normalises [batch, …, channels] with one mean and one variance for all channels."""
        return BatchNorm(scalar=True, name=name, **self._norm())(inputs)

    def dropout(self, inputs: Any, rate: float, *, name: str) -> Any:
        """Drops a share of [batch, features], the same units for the same (seed, name, step, replica)."""
        return StepDropout(rate, key=derive_seed(self.seed, name), name=name, dtype=self.dtype_policy)(inputs)

    def _kernel(self, name: str) -> dict[str, Any]:
        return {
            # He: truncated normal, fan-in, scale 2. A plain VarianceScaling() has scale 1.
            "kernel_initializer": keras.initializers.HeNormal(seed=derive_seed(self.seed, name)),
            "kernel_regularizer": keras.regularizers.L2(self.l2 / 2) if self.l2 else None,
            "dtype": self.dtype_policy,
        }

    def _norm(self) -> dict[str, Any]:
        return {
            "momentum": self.batch_norm_momentum,
            "synchronized": self.synchronized_batch_norm,
            "dtype": self.dtype_policy,
        }


def derive_seed(seed: int, name: str) -> int:
    """Returns a seed in [0, 2**30) that is a function of (seed, name), the same in every process."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 2
