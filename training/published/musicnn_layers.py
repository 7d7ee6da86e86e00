"""Lay the variables of musicnn's checkpoints into our networks, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt

from schemas.console.errors import UserError
from training.published.package_files import ADVICE

# Our layers in the order in which their graph makes its convolutions; TensorFlow 1 numbered variables by that.
_CONVOLUTIONS = {
    "musicnn": [
        *("timbral_38", "timbral_67", "temporal_128", "temporal_64", "temporal_32"),
        *("middle1", "middle2", "middle3"),
    ],
    "vgg": [f"vgg{number}" for number in range(1, 6)],
}


def lay_weights(
    model: keras.Model,
    frontend: Literal["musicnn", "vgg"],
    values: Mapping[str, npt.NDArray[np.float32]],
    *,
    tags: int,
    where: str,
) -> None:
    """Give a network the values of a checkpoint.

    Args:
        model: as `build_tagger` makes it for 96 mels and patches of 187 frames.
        frontend: its network.
        values: name -> value, of all variables but the optimizer's.
        tags: number of tags that the package lists for it.
        where: what the values come from, for errors.

    Raises:
        UserError: they are those of another network, or there are not as many outputs as tags.
    """
    used = set()
    for layer, theirs in _layers(frontend).items():
        head = values.get(f"{theirs}/bias")
        if layer == "logits" and head is not None and head.ndim == 1 and len(head) != tags:
            raise UserError(
                f"{where}: expected as many outputs as tags, found {len(head)} outputs and {tags} tags; {ADVICE}"
            )
        for variable in model.get_layer(layer).weights:
            name = f"{theirs}/{variable.name}"
            value = values.get(name)
            shape = tuple(size for size in variable.shape if size > 1)  # theirs keeps axes of one that ours does not
            if value is None or tuple(size for size in value.shape if size > 1) != shape:
                found = "none" if value is None else f"one of {list(value.shape)}"
                raise UserError(
                    f"{where}: expected a variable {name} of {list(shape)}, found {found}: it is the checkpoint of another "
                    "model; name its own --model"
                )
            if not np.isfinite(value).all():
                raise UserError(f"{where}: expected finite numbers in {name}, found others; {ADVICE}")
            if layer == "pooled_norm" or (layer, variable.name) == ("dense", "kernel"):
                # Theirs has the maximum and the mean of a channel next to each other; ours has all maxima first.
                value = np.concatenate([value[::2], value[1::2]])
            variable.assign(value.reshape(variable.shape))
            used.add(name)
    if left := sorted(set(values) - used):
        raise UserError(
            f"{where}: expected no other variable, found {', '.join(left[:3])}: it is the checkpoint of another model; name "
            "its own --model"
        )


def _layers(frontend: Literal["musicnn", "vgg"]) -> dict[str, str]:
    """Our layer -> what the names of its variables begin with in the checkpoint."""
    layers = {"input_norm": "batch_normalization"}
    for number, layer in enumerate(_CONVOLUTIONS[frontend]):
        layers[f"{layer}_conv"] = f"{number + 1}CNN" if frontend == "vgg" else _numbered("conv2d", number)
        layers[f"{layer}_norm"] = _numbered("batch_normalization", number + 1)
    if frontend == "vgg":
        return {**layers, "logits": "dense"}
    norms = len(_CONVOLUTIONS[frontend]) + 1
    return {
        **layers,
        "pooled_norm": _numbered("batch_normalization", norms),
        "dense": "dense",
        "embedding": _numbered("batch_normalization", norms + 1),
        "logits": "dense_1",
    }


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name
