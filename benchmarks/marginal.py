"""Cost per hour of audio, apart from the cost of starting up: one job on a few tracks and on many."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.tree_cost import Cost, cost_of


@dataclasses.dataclass(frozen=True)
class Marginal:
    """What a job costs.

    Attributes:
        per_hour: CPU seconds of the whole process tree for each further hour of audio.
        fixed: CPU seconds that it costs whatever the audio.
        peak: bytes of its largest process, with many tracks.
    """

    per_hour: float
    fixed: float
    peak: int


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Two catalogs of equal tracks.

    Attributes:
        few, many: their paths.
        few_hours, many_hours: of audio in them.
    """

    few: Path
    many: Path
    few_hours: float
    many_hours: float


def marginal(command: Callable[[Path], Sequence[str]], sizes: Sizes, repeats: int) -> Marginal:
    """Run a job on both catalogs, `repeats` times in turn; of each the least CPU time counts.

    One run before them does not count: it may compile what the others find in a cache.

    Args:
        command: gives the command for a catalog.
        sizes: the catalogs.
        repeats: runs of each.
    """
    few: list[Cost] = []
    many: list[Cost] = []
    cost_of(command(sizes.few))
    for _ in range(repeats):
        few.append(cost_of(command(sizes.few)))
        many.append(cost_of(command(sizes.many)))
    low, high = min(cost.cpu for cost in few), min(cost.cpu for cost in many)
    per_hour = (high - low) / (sizes.many_hours - sizes.few_hours)
    return Marginal(per_hour, low - per_hour * sizes.few_hours, max(cost.peak for cost in many))
