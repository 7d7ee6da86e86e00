"""The head of a model: its last dense layer, from a track's embedding to the scores, in assets/head.npz of an exported model."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import numpy.typing as npt

HEAD_NAME = "head.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """Scores are the sigmoid of `embedding @ kernel + bias`.

    Attributes:
        kernel: float32 [embedding, tags].
        bias: float32 [tags].
    """

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def scores(self, embeddings: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Scores of embeddings, whose bits depend neither on the number of cores nor on how many rows come together.

        The model adds up patches after the sigmoid. Of a mean embedding, as tags store it, this gives the score of the mean,
        which is not quite the mean of the scores.

        Args:
            embeddings: [rows, embedding], of any float type.

        Returns:
            float64 [rows, tags]; NaN for a row with a number that is not finite.
        """
        rows = embeddings.astype(np.float32)
        is_finite = np.isfinite(rows.sum(axis=1, dtype=np.float64))
        rows[~is_finite] = 0
        # A BLAS shares a product among cores by the shapes and by their number, and its sums follow from that; this does not.
        logits = np.einsum("re,te->rt", rows, self._by_tag, optimize=False).astype(np.float64) + self.bias
        scores: npt.NDArray[np.float64] = 0.5 + 0.5 * np.tanh(0.5 * logits)  # the sigmoid, without overflow
        scores[~is_finite] = np.nan
        return scores

    @property
    def _by_tag(self) -> npt.NDArray[np.float32]:
        """The kernel with the values of each tag side by side, so that one product after the other is read in order."""
        return np.ascontiguousarray(self.kernel.T)

    def to_bytes(self) -> bytes:
        """The file. Deterministic: `numpy.savez` stamps its members with the year 1980."""
        file = io.BytesIO()
        np.savez(file, kernel=np.asarray(self.kernel, "<f4"), bias=np.asarray(self.bias, "<f4"))
        return file.getvalue()


def parse_head(data: bytes, embedding: int, tags: int) -> Head:
    """Read the file; raises ValueError unless it holds the head of a model with so many embedding values and tags."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            kernel, bias = file["kernel"], file["bias"]
    except Exception as error:  # zipfile and numpy raise errors of many types for a damaged file
        raise ValueError(f"{HEAD_NAME}: expected the arrays kernel and bias: {' '.join(str(error).split())}") from error
    if (kernel.shape, bias.shape) != ((embedding, tags), (tags,)):
        raise ValueError(
            f"{HEAD_NAME}: expected a kernel of {embedding} x {tags} and {tags} biases, received {kernel.shape} and {bias.shape}"
        )
    if not all(values.dtype == np.float32 and np.isfinite(values).all() for values in (kernel, bias)):
        raise ValueError(f"{HEAD_NAME}: expected finite float32 numbers")
    return Head(kernel, bias)
