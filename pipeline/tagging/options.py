"""The options of a tagging."""

from __future__ import annotations

import dataclasses

from pipeline.decode.options import CatalogOptions
from pipeline.tagging.model_files import Runtime
from schemas.console.errors import UserError
from schemas.features import Excerpt


@dataclasses.dataclass(frozen=True)
class TagOptions(CatalogOptions):
    """Options of a tagging; see `pipeline.run tag --help`. Without an excerpt, new tags are of whole tracks.

    >>> from pipeline import TagOptions
    >>> TagOptions(runtime="onnx").embeddings
    True

    Attributes:
        embeddings: Whether embeddings are stored too.
        runtime: What runs the model: `tensorflow` a SavedModel, `onnx` (onnxruntime) an ONNX model.
    """

    embeddings: bool = True
    runtime: Runtime = "tensorflow"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.excerpt is not None:
            Excerpt.parse(self.excerpt)

    def require_for_stored(self, source: str) -> None:
        """Raise UserError for an option that has no meaning where nothing is decoded.

        Args:
            source: The option that names what is read instead: `--dataset` or `--embeddings`.
        """
        given = {
            "--shards": self.shards is not None,
            "--limit": self.limit is not None,
            "--excerpt": self.excerpt is not None,
            "--retry-rejects": self.retry_rejects != "none",
        }
        for option, is_given in given.items():
            if is_given:
                raise UserError(
                    f"{option}: expected only with --catalog; with {source} its tracks are scored as stored"
                )
