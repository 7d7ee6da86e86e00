"""What an estimate may be asked for."""

from __future__ import annotations

import dataclasses
import math

from schemas.console.errors import UserError

DEFAULT_SAMPLE = 50  # tracks
DEFAULT_WORKERS = (1, 8, 64, 256)

# Google's list prices in US dollars, us-central1, read in 2026: Dataflow's batch workers, and standard storage.
VCPU_HOUR = 0.056
MEMORY_GB_HOUR = 0.003557
STORAGE_GB_MONTH = 0.020
MEMORY_GB = 3.75  # of a worker: n1-standard machines have so much for each vCPU


@dataclasses.dataclass(frozen=True)
class Prices:
    """Prices in any one currency; a GB has 2^30 bytes, as Google counts.

    Attributes:
        vcpu_hour: of a vCPU for an hour.
        memory_gb_hour: of a GB of memory for an hour.
        storage_gb_month: of a GB of storage for a month.
    """

    vcpu_hour: float = VCPU_HOUR
    memory_gb_hour: float = MEMORY_GB_HOUR
    storage_gb_month: float = STORAGE_GB_MONTH

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"--price-{name.replace('_', '-')}: expected a price of at least 0, received {value}")


@dataclasses.dataclass(frozen=True)
class EstimateOptions:
    """Options of an estimate, beside those of the build that it is about; see `pipeline.run estimate --help`.

    Attributes:
        sample: tracks to decode; all where the catalog has fewer.
        seed: another seed, other tracks.
        workers: worker counts to tell time and cost for, ascending.
        memory_gb: memory of a worker, which has one vCPU.
        prices: what is paid.
    """

    sample: int = DEFAULT_SAMPLE
    seed: int = 0
    workers: tuple[int, ...] = DEFAULT_WORKERS
    memory_gb: float = MEMORY_GB
    prices: Prices = dataclasses.field(default_factory=Prices)

    def __post_init__(self) -> None:
        if self.sample < 2:
            raise UserError(f"--sample: expected at least 2, received {self.sample}")
        if not (math.isfinite(self.memory_gb) and self.memory_gb > 0):
            raise UserError(f"--memory-gb: expected more than 0, received {self.memory_gb}")


def parse_workers(text: str) -> tuple[int, ...]:
    """`1,8,64` as worker counts, ascending and each once; raises UserError."""
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = [0]
    if counts[0] < 1:
        raise UserError(f"--workers: expected whole numbers of at least 1 such as 1,8,64, received {text!r}")
    return tuple(counts)
