"""The options of a tagging."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.audio.engines import Decoder
from pipeline.audio.limits import MAX_SECONDS
from pipeline.decode.generations import Retry
from pipeline.decode.options import MAX_REJECT_RATE
from schemas.console.errors import UserError
from schemas.features import Excerpt


@dataclasses.dataclass(frozen=True)
class TagOptions:
    """Options of a tagging; see `pipeline.run tag --help`.

    Attributes:
        workers: Number of local worker processes; None for one per core.
        shards: Number of shards of a new generation; None to choose by size. A dataset's shards stay.
        limit: Number of the catalog's first rows to read; None for all.
        excerpt: Part of each track to score: None for that of the tags so far, or the whole track.
        embeddings: Whether embeddings are stored too.
        decoder: Decoder engine.
        max_seconds: Reject longer tracks.
        retry_rejects: Which rejects of earlier generations to retry.
        max_reject_rate: Largest share of the tracks that may lack scores.
        allow_other_versions: Resume a generation that was planned with other library versions.
        beam_options: Options for Beam; without --runner the job runs on this machine.
    """

    workers: int | None = None
    shards: int | None = None
    limit: int | None = None
    excerpt: str | None = None
    embeddings: bool = True
    decoder: Decoder = "auto"
    max_seconds: float = MAX_SECONDS
    retry_rejects: Retry = "none"
    max_reject_rate: float = MAX_REJECT_RATE
    allow_other_versions: bool = False
    beam_options: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("workers", "shards", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name}: expected at least 1, received {value}")
        if not self.max_seconds > 0:
            raise UserError(f"--max-seconds: expected more than 0, received {self.max_seconds:g}")
        if not 0 <= self.max_reject_rate <= 1:
            raise UserError(f"--max-reject-rate: expected a share from 0 to 1, received {self.max_reject_rate}")
        if self.excerpt is not None:
            Excerpt.parse(self.excerpt)

    def require_for_dataset(self) -> None:
        """Raise UserError for an option that has no meaning where stored features are read."""
        given = {
            "--shards": self.shards is not None,
            "--limit": self.limit is not None,
            "--excerpt": self.excerpt is not None,
            "--retry-rejects": self.retry_rejects != "none",
        }
        for option, is_given in given.items():
            if is_given:
                raise UserError(
                    f"{option}: expected only with --catalog; with --dataset its tracks are scored as stored"
                )
