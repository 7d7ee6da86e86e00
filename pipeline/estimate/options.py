"""The options of an estimate."""

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
MEMORY_GB = 3.75  # memory of a worker, as n1-standard machines have per vCPU


@dataclasses.dataclass(frozen=True)
class Prices:
    """Prices in any single currency; a GB has 2^30 bytes, as Google counts.

    Attributes:
        vcpu_hour: Price of a vCPU for an hour.
        memory_gb_hour: Price of a GB of memory for an hour.
        storage_gb_month: Price of a GB of storage for a month.
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
    """Options of an estimate, in addition to those of the build; see `pipeline.run estimate --help`.

    Attributes:
        sample: Number of tracks to decode; all if the catalog has fewer.
        seed: Seed of the sample.
        workers: Numbers of workers for which to give time and cost, ascending.
        memory_gb: Memory of a worker in GB; a worker has one vCPU.
        prices: Prices of machines and storage.
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
    """`1,8,64` as numbers of workers, ascending and each once; raises UserError."""
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = [0]
    if counts[0] < 1:
        raise UserError(f"--workers: expected whole numbers of at least 1 such as 1,8,64, received {text!r}")
    return tuple(counts)
