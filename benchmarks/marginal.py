"""Cost per hour of audio, without the cost of starting up: the same job on a few tracks and on many."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.tree_cost import Cost, cost_of


@dataclasses.dataclass(frozen=True)
class Marginal:
    """Cost of a job.

    Attributes:
        per_hour: CPU seconds of the whole process tree for each additional hour of audio.
        fixed: CPU seconds that do not depend on the audio.
        peak: peak memory of the largest process with many tracks, in bytes.
        wall_per_hour: wall time in seconds for each additional hour of audio.
    """

    per_hour: float
    fixed: float
    peak: int
    wall_per_hour: float


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Two catalogs of tracks of the same kind.

    Attributes:
        few, many: paths of the catalogs.
        few_hours, many_hours: hours of audio in each.
    """

    few: Path
    many: Path
    few_hours: float
    many_hours: float


def marginal(command: Callable[[Path], Sequence[str]], sizes: Sizes, repeats: int) -> Marginal:
    """Run a job on both catalogs in turn, `repeats` times; the lowest CPU time of each counts.

    A first run does not count: it may compile code that the others find in a cache.

    Args:
        command: returns the command for a catalog.
        sizes: the two catalogs.
        repeats: number of runs per catalog.
    """
    few: list[Cost] = []
    many: list[Cost] = []
    cost_of(command(sizes.few))
    for _ in range(repeats):
        few.append(cost_of(command(sizes.few)))
        many.append(cost_of(command(sizes.many)))
    low, high = min(cost.cpu for cost in few), min(cost.cpu for cost in many)
    hours = sizes.many_hours - sizes.few_hours
    per_hour = (high - low) / hours
    wall = (min(cost.wall for cost in many) - min(cost.wall for cost in few)) / hours
    return Marginal(per_hour, low - per_hour * sizes.few_hours, max(cost.peak for cost in many), wall)
