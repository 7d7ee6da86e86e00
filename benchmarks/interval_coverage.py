"""Coverage of the 95 % intervals of `evaluate` and `compare`, on simulated artists whose tracks are alike.

    python -m benchmarks.interval_coverage --repeats 1000

An artist has some tags more often than others, and both runs score all of an artist's tracks too high or too low. The
true value is that of a very large test split.
"""

from __future__ import annotations

import dataclasses

import click
import numpy as np
import numpy.typing as npt

from benchmarks.results import write_results
from schemas.console.terminal import say
from training.comparison.compare import score_differences
from training.metrics.tagging import Metrics, tagging_metrics

GROUPS = (10, 30, 100)
OF_ONE_RUN = ("roc_auc_macro", "pr_auc_macro", "roc_auc_micro", "pr_auc_micro", "sqrt_mse")
OF_TWO_RUNS = ("roc_auc", "pr_auc")
MOST_ARTISTS_OF_THE_TRUTH = 20_000


@dataclasses.dataclass(frozen=True)
class World:
    """Properties of the simulated artists and runs.

    Attributes:
        tags: number of tags.
        skill: difference between the scores of tracks with and without the tag.
        artists: standard deviation of a run's offset for all scores of an artist; that of a single track is 1.
        share: parameters of the Beta distribution of the share of an artist's tracks that have a tag.
    """

    tags: int = 2
    skill: float = 1.2
    artists: float = 1.0
    share: tuple[float, float] = (1.0, 2.0)


@dataclasses.dataclass(frozen=True)
class SimulatedSplit:
    """Targets of tracks, scores of two runs, each float32 [tracks, tags], and groups, int64 [tracks]."""

    targets: npt.NDArray[np.float32]
    scores: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    groups: npt.NDArray[np.int64]


def drawn_split(world: World, groups: int, rng: np.random.Generator) -> SimulatedSplit:
    """Draw artists with at least 2 tracks, 3.5 on average, and two runs with partly common errors."""
    member = np.repeat(np.arange(groups), 1 + rng.geometric(0.4, size=groups))

    def of_artists() -> npt.NDArray[np.float64]:
        return world.artists * rng.normal(size=(groups, world.tags))[member]

    has = rng.random((len(member), world.tags)) < rng.beta(*world.share, size=(groups, world.tags))[member]
    common, own = of_artists(), of_artists()
    signal = world.skill * has
    one = signal + common + rng.normal(size=has.shape)
    other = signal + 0.7 * (common + own) + rng.normal(size=has.shape)
    return SimulatedSplit(has.astype(np.float32), (_scores(one), _scores(other)), member)


def _scores(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def coverage(world: World, groups: int, repeats: int, seed: int = 0) -> dict[str, float]:
    """Share of test splits with this many groups whose interval contains the true value, for each metric.

    A split without an interval counts neither way.
    """
    truth = _truth(world)
    rng = np.random.default_rng(seed)
    held: dict[str, list[bool]] = {name: [] for name in truth}

    def note(name: str, ends: tuple[float, float]) -> None:
        if not np.isnan(ends[0]):
            held[name].append(ends[0] <= truth[name] <= ends[1])

    for _ in range(repeats):
        split = drawn_split(world, groups, rng)
        metrics = tagging_metrics(split.targets, split.scores[0], groups=split.groups)
        for name in OF_ONE_RUN:
            note(name, getattr(metrics, f"{name.removesuffix('_macro')}_interval"))
        tags = tuple(map(str, range(world.tags)))
        per_tag, macro = score_differences(tags, split.targets, split.scores, split.groups, 0.5)
        for name in OF_TWO_RUNS:
            note(f"difference {name}", macro[name].interval)
            note(f"difference {name} of a tag", getattr(per_tag[0], name).interval)
    return {name: float(np.mean(found)) for name, found in held.items()}


def _truth(world: World) -> dict[str, float]:
    split = drawn_split(world, MOST_ARTISTS_OF_THE_TRUTH, np.random.default_rng(99))
    every = np.zeros(len(split.groups), np.int64)  # one group for all, so that no interval is computed
    one, other = (tagging_metrics(split.targets, scores, groups=every) for scores in split.scores)

    def difference(name: str, of: str) -> float:
        metrics: list[Metrics] = [one, other]
        if of == "macro":
            values = [float(getattr(run, f"{name}_macro")) for run in metrics]
        else:
            values = [float(getattr(run.per_tag[0], name)) for run in metrics]
        return values[1] - values[0]

    return {
        **{name: float(getattr(one, name)) for name in OF_ONE_RUN},
        **{f"difference {name}": difference(name, "macro") for name in OF_TWO_RUNS},
        **{f"difference {name} of a tag": difference(name, "tag") for name in OF_TWO_RUNS},
    }


WORLDS = {
    "artists that differ": World(tags=4),
    "artists alike": World(tags=4, artists=0.3, share=(5.0, 5.0)),
    "a good model": World(tags=4, skill=2.0, artists=0.5),
    "tags of few artists": World(tags=8, share=(0.3, 1.5)),
}


@click.command()
@click.option("--repeats", default=1000, show_default=True, help="Number of test splits of each kind and size.")
def main(repeats: int) -> None:
    """Print the coverage of every metric, in percent, by kind of artists and number of groups."""
    measured: dict[str, dict[str, float]] = {}
    for what, world in WORLDS.items():
        say(f"{what}: {world}", f"  {'groups':<32}" + "".join(f"{groups:>8}" for groups in GROUPS))
        found = {groups: coverage(world, groups, repeats) for groups in GROUPS}
        for name in found[GROUPS[0]]:
            say(f"  {name:<32}" + "".join(f"{100 * found[groups][name]:>8.1f}" for groups in GROUPS))
        measured |= {f"{what}, {groups} groups": one for groups, one in found.items()}
    write_results("interval_coverage", measured)


if __name__ == "__main__":
    main()
