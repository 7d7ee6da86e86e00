"""The options of a build."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.audio.engines import Decoder
from pipeline.audio.limits import MAX_SECONDS
from pipeline.decode.generations import Retry
from schemas.console.errors import UserError
from schemas.features import FAMILIES, Family

DEFAULT_EXCERPT = "center:30"
MAX_REJECT_RATE = 0.05


@dataclasses.dataclass(frozen=True)
class CatalogOptions:
    """Options of a job that decodes a catalog.

    Attributes:
        workers: Number of local worker processes; None for one per core.
        shards: Number of shards of a new generation; None to choose by size.
        limit: Number of the catalog's first rows to read; None for all.
        excerpt: Part of each track to decode; None for that of the earlier generations.
        decoder: Decoder engine.
        max_seconds: Reject longer tracks, whatever excerpt of them is decoded.
        retry_rejects: Which rejects of earlier generations to retry.
        max_reject_rate: Largest share of the tracks that may be rejected.
        allow_other_versions: Resume a generation that was planned with other library versions.
        beam_options: Options for Beam; without --runner the job runs on this machine.
        detach: Leave the job to an engine instead of waiting for it.
    """

    workers: int | None = None
    shards: int | None = None
    limit: int | None = None
    excerpt: str | None = None
    decoder: Decoder = "auto"
    max_seconds: float = MAX_SECONDS
    retry_rejects: Retry = "none"
    max_reject_rate: float = MAX_REJECT_RATE
    allow_other_versions: bool = False
    beam_options: Sequence[str] = ()
    detach: bool = False

    def __post_init__(self) -> None:
        for name in ("workers", "shards", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name}: expected at least 1, received {value}")
        if not self.max_seconds > 0:
            raise UserError(f"--max-seconds: expected more than 0, received {self.max_seconds:g}")
        if not 0 <= self.max_reject_rate <= 1:
            raise UserError(f"--max-reject-rate: expected a share from 0 to 1, received {self.max_reject_rate}")


@dataclasses.dataclass(frozen=True)
class BuildOptions(CatalogOptions):
    """Options of a build; see `pipeline.run build --help`.

    >>> from pipeline import BuildOptions
    >>> BuildOptions(workers=2, excerpt="full", families=("logmel",)).strict
    False

    Attributes:
        families: Feature families; None for the dataset's own, or both for a new dataset.
        strict: Reject truncated and corrupt tracks; otherwise the decoded part is kept and flagged.
    """

    families: tuple[Family, ...] | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.families is not None and (not self.families or set(self.families) - set(FAMILIES)):
            raise UserError(
                f"--families: expected {','.join(FAMILIES)} or one of them, received {','.join(self.families)}"
            )


def parse_families(text: str | None) -> tuple[str, ...] | None:
    """`logmel,waveform` as names of families, which BuildOptions checks; None if no text is given."""
    return None if text is None else tuple(name.strip() for name in text.split(","))
