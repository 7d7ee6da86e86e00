"""The architecture of a tagger, and the shortest patch it can take. Imports no Keras."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from msgspec import Meta

from schemas.features import Family
from schemas.validation import InvalidValueError, checked, field_hints, words

Frontend = Literal["spectrogram", "waveform", "musicnn", "vgg", "short-chunk"]
ResidualBatchNorm = Literal["scalar", "per_channel"]
Count = Annotated[int, Meta(ge=1, extra=words("an integer of at least 1"))]
Switch = Annotated[bool, Meta(extra=words("True or False"))]

# Filters of each layer of the waveform front-end, keyed by the number of layers.
WAVEFORM_FILTERS: dict[int, tuple[int, ...]] = {
    7: (64, 64, 64, 128, 128, 128, 256),
    9: (64, 64, 64, 128, 128, 128, 128, 128, 256),
}
WAVEFORM_KERNEL = 3  # samples (first layer) or steps; also the stride of the first layer and the later pools
# Filters of each convolution of musicnn and VGG, as published.
MUSICNN_FILTERS = {"timbral": 204, "temporal": 51, "middle": 64}
VGG_FILTERS = 128
VGG_POOLS = (((4, 1), (2, 2)), *((((2, 2), (2, 2)),) * 3), ((4, 4), (4, 4)))  # frames and mels: size, stride
SHORT_CHUNK_FILTERS = (128, 128, 256, 256, 256, 256, 512)  # of the convolutions of each block
PUBLISHED_NUM_FILT = 16
PUBLISHED_DENSE_UNITS: dict[Frontend, int] = {
    **{"spectrogram": 500, "waveform": 500, "musicnn": 200, "vgg": 500, "short-chunk": 512}
}
BACKEND_KERNEL = 7  # frames
BACKEND_POOL = 2  # frames


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The choices that define a tagger. The defaults are the authors', see Pons et al., arXiv:1711.02520.

    Attributes:
        frontend: ``"spectrogram"`` reads log-mel frames, ``"waveform"`` reads samples. The paper finds the
            waveform ahead only with about a million labelled tracks. ``"musicnn"`` and ``"vgg"`` are whole networks over
            log-mel frames that the authors published later, with weights; ``"short-chunk"`` is another team's.
        num_filt: Filters of the narrowest branch of the spectrogram front-end, which yields ``29 * num_filt``
            channels. The paper uses 16 on its private set and 8 on MagnaTagATune. All filters of musicnn, VGG and short-chunk
            are scaled by it, from 16, their published size. The waveform front-end ignores it.
        backend_filters: Filters of each convolution of the shared back-end. The paper uses 512; fewer make steps and
            models cheaper. The other networks have back-ends of their own and ignore it.
        dense_units: Width of the penultimate layer, which is also the embedding; 0 becomes the published one. VGG has no
            such layer.
        waveform_layers: 7, or 9 for a longer view, which needs patches of 11 s and more at 16 kHz. The
            spectrogram front-end ignores it.
        residual_batch_norm: ``"scalar"`` normalises after the second and the third back-end convolution with
            one mean and one variance for all channels, as the authors' first models.py does and as the published
            parameter counts include. ``"per_channel"`` is the usual kind: 2,044 more trainable weights and
            2,044 more non-trainable ones. The other networks, which always have the usual kind, ignore it.
        dropout: Share of units dropped before each dense layer, in [0, 1), and half of it after the blocks of VGG.
        l2: Weight decay ``c`` of every convolution and dense kernel (no bias, no batch norm), adding
            ``c / 2 * sum(kernel ** 2)`` to the loss. The paper names none; 1e-5, the half and the choice of
            kernels come from the authors' later public training code. Keras's ``L2(c)`` would have no half.
        batch_norm_momentum: Share of the moving statistics that a step keeps, in (0, 1). Inference normalises by
            them, so a run of a few hundred steps needs less than the usual 0.99.
        synchronized_batch_norm: Take the statistics of batch norm over all replicas. Without it, a replica that
            sees few examples learns badly; it costs three reductions per layer and step.
        normalize_input: Start with a layer that brings each mel band, or the waveform, to mean 0 and deviation 1
            with given statistics (`training.models.input_normalization`).
    """

    frontend: Frontend
    num_filt: Count = 16
    backend_filters: Count = 512
    dense_units: Annotated[int, Meta(ge=0, extra=words("an integer of at least 0"))] = 0
    waveform_layers: Literal[7, 9] = 7
    residual_batch_norm: ResidualBatchNorm = "scalar"
    dropout: Annotated[float, Meta(ge=0, lt=1, extra=words("a number in [0, 1)"))] = 0.5
    l2: Annotated[float, Meta(ge=0, extra=words("a finite number of at least 0"))] = 1e-5
    batch_norm_momentum: Annotated[float, Meta(gt=0, lt=1, extra=words("a number in (0, 1)"))] = 0.99
    synchronized_batch_norm: Switch = False
    normalize_input: Switch = False

    def __post_init__(self) -> None:
        for name, hint in field_hints(ModelConfig).items():
            _require(name, getattr(self, name), hint)
        if self.dense_units == 0:
            object.__setattr__(self, "dense_units", PUBLISHED_DENSE_UNITS[self.frontend])


def family_of(frontend: Frontend) -> Family:
    """The feature family that a front-end reads."""
    return "waveform" if frontend == "waveform" else "logmel"


def scaled_filters(published: int, num_filt: int) -> int:
    """Filters of a convolution that has `published` ones with a `num_filt` of 16."""
    return max(1, published * num_filt // PUBLISHED_NUM_FILT)


def least_patch(config: ModelConfig) -> int:
    """Returns the shortest patch that leaves one frame to pool over.

    Args:
        config: The front-end and its depth.

    Returns:
        Frames (spectrogram: 8; musicnn and short-chunk: 1; VGG: 66) or samples (waveform: 19,680 with 7 layers, 177,144 with 9).
    """
    if config.frontend in ("musicnn", "short-chunk"):
        return 1  # every convolution is padded in time
    if config.frontend == "vgg":
        return vgg_least(axis=0)
    frames = BACKEND_POOL + BACKEND_KERNEL - 1
    if config.frontend == "spectrogram":
        return frames  # this front-end is padded in time: one frame in gives one frame out
    for _ in WAVEFORM_FILTERS[config.waveform_layers][1:]:
        frames = frames * WAVEFORM_KERNEL  # before the pool
        frames += WAVEFORM_KERNEL - 1  # before the unpadded convolution
    return frames * WAVEFORM_KERNEL


def vgg_frames(patch: int) -> int:
    """Returns the frames that are left after VGG's last pool: 2 of 187."""
    for (size, _), (stride, _) in VGG_POOLS:
        patch = (patch - size) // stride + 1
    return patch


def vgg_least(*, axis: int) -> int:
    """Returns the fewest frames (axis 0) or mels (axis 1) that leave VGG's last pool one."""
    length = 1
    for size, strides in reversed(VGG_POOLS):
        length = (length - 1) * strides[axis] + size[axis]
    return length


def require_positive(name: str, value: object) -> None:
    """Raises ValueError unless `value` is an integer of at least 1."""
    _require(name, value, Count)


def _require(name: str, value: object, hint: Any) -> None:
    try:
        checked(name, value, hint)
    except InvalidValueError as error:
        raise ValueError(f"Expected {name} to be {error.expected}. Received: {value!r}") from error
