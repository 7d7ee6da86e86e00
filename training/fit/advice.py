"""Say so when a recipe does not fit the number of tracks or steps that a run has."""

from __future__ import annotations

from collections.abc import Iterator

from training.config import TrainConfig

FEW_TRACKS = 10_000  # little dropout is better on the 420 tracks of docs/training.md; the limit itself was not measured
MUCH_DROPOUT = 0.4
SETTLED_STEPS = 10  # time constants of batch norm's moving statistics after which they follow the weights
SMALL_MOMENTUM = 0.9
MANY_STEPS = 1_000_000  # of a batch, in days or weeks on one device


def advice(config: TrainConfig, tracks: int, steps: int) -> Iterator[str]:
    """Lines that name what does not fit, each with what to try instead.

    Args:
        config: the run's configuration.
        tracks: number of training tracks.
        steps: number of steps of the whole run.
    """
    if tracks <= FEW_TRACKS and config.dropout >= MUCH_DROPOUT:
        yield f"dropout {config.dropout:g} is much for {tracks:,} training tracks; try --recipe small or --dropout 0.2"
    settled = round(SETTLED_STEPS / (1 - config.batch_norm_momentum))
    moves = steps * config.accumulate  # each part of a batch moves the statistics
    if moves < settled and config.batch_norm_momentum > SMALL_MOMENTUM and not config.recalibrate_batch_norm:
        yield (
            f"batch norm's moving statistics follow slowly with momentum {config.batch_norm_momentum:g} in {steps:,} "
            "steps; try --recipe small, --batch-norm-momentum 0.9 or --recalibrate-batch-norm"
        )
    if steps > MANY_STEPS:
        yield f"{steps:,} steps take long; try --recipe large, which counts in steps, or --max-steps"
