"""Errors of a training step, with advice on what to do next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.console.errors import TagscaleError, UserError
from training.config import TrainConfig

SHOWN_IDS = 64  # tracks of a batch that an error names
_ELSEWHERE = "a run that has checkpoints keeps them and its settings, so choose another --out then"

_LOST_WORKER = (
    *(tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError),
    *(tf.errors.CancelledError, tf.errors.InternalError, tf.errors.FailedPreconditionError),
)


def _tail(words: str) -> str:
    """TensorFlow's message without the Python lines that it puts before it."""
    return words.rpartition("Collective ops is aborted by:")[2].strip()[:200]


def explained(error: tf.errors.OpError, config: TrainConfig, replicas: int, workers: int) -> TagscaleError:
    """Convert an error of TensorFlow's into one of ours."""
    words = " ".join(str(error.message).split())
    if isinstance(error, tf.errors.ResourceExhaustedError):
        parts = replicas * config.accumulate
        smaller, more = config.batch_size // 2 // parts * parts, 2 * config.accumulate
        advice = (
            f"try --batch-size {smaller}" if smaller else "try shorter patches (--patch-seconds) or a smaller model"
        )
        if config.batch_size % (replicas * more) == 0:
            advice = f"{advice}, or --accumulate {more} with the same batch"
        return UserError(
            f"out of memory with --batch-size {config.batch_size} on {replicas} replicas; {advice}; {_ELSEWHERE} "
            f"({words[:200]})"
        )
    if workers > 1 and isinstance(error, _LOST_WORKER):
        return TagscaleError(
            "another worker is gone or cannot be reached; start the same command again on every worker, and the run "
            f"resumes from its last checkpoint ({_tail(words)})"
        )
    return TagscaleError(f"a training step failed: {words}")


def not_finite(loss: float, epoch: int, step: int, track_ids: list[str]) -> TagscaleError:
    """The error for a loss that is not a number, naming the tracks of its batch."""
    more = f" and {len(track_ids) - SHOWN_IDS} more" if len(track_ids) > SHOWN_IDS else ""
    return TagscaleError(
        f"epoch {epoch + 1}, step {step + 1}: the loss is {loss}, with the tracks {', '.join(track_ids[:SHOWN_IDS])}{more}; "
        f"look at these, lower --learning-rate, or use --clip-norm or --precision float32; {_ELSEWHERE}"
    )


def require_divisible(config: TrainConfig, replicas: int, tracks: int, steps: int) -> None:
    """Raise UserError unless all replicas get an equal part of each global batch, and none ever gets nothing.

    Args:
        config: the configuration.
        replicas: number of replicas.
        tracks: number of training tracks.
        steps: number of steps in an epoch.
    """
    batch_size, patches = config.batch_size, config.patches_per_track
    for count, words in ((patches, "patches per track"), (config.accumulate, "parts of --accumulate")):
        parts = replicas * count
        if batch_size % parts:
            below, above = batch_size // parts * parts, -(-batch_size // parts) * parts
            fitting = f"{below} or {above}" if below else str(above)
            times = f" times the {count} {words}" if count > 1 else ""
            raise UserError(
                f"--batch-size {batch_size}: expected a multiple of the {replicas} replicas{times}; {fitting} would be one"
            )
    if tracks // steps < replicas:
        raise UserError(
            f"--batch-size {batch_size}: {tracks} training tracks make {steps} batches, some of which have fewer tracks than "
            f"the {replicas} replicas; use fewer replicas, or another --batch-size"
        )
    least = tracks // steps // replicas * patches
    if least < config.accumulate:
        fewer = max(count for count in range(1, least + 1) if batch_size % (replicas * count) == 0)
        raise UserError(
            f"--accumulate {config.accumulate}: {tracks} training tracks make {steps} batches, of some of which a replica has "
            f"only {least} patches; use --accumulate {fewer} or less, or another --batch-size"
        )


def require_fitting_patch(patch_seconds: float, patch: int, longest: int) -> None:
    """Raise UserError if a patch is longer than every track: all of them would end in silence.

    Args:
        patch_seconds: the requested length of a patch.
        patch: the same length in frames or samples.
        longest: length of the longest track, in the same unit; 0 if it is not known.
    """
    if 0 < longest < patch:
        raise UserError(
            f"--patch-seconds {patch_seconds:g}: expected at most the longest training track, "
            f"{patch_seconds * longest / patch:.2f} s; choose a shorter patch, or build a longer --excerpt"
        )


def require_defined(select_by: str, targets: npt.NDArray[np.float32], positive_at: float) -> None:
    """Raise UserError if the best epoch is to be chosen by a number that the validation split does not define.

    Args:
        select_by: roc_auc, pr_auc, loss or last.
        targets: float32 [validation tracks, tags]; NaN is unknown.
        positive_at: lowest target that counts as positive.
    """
    if np.isnan(targets).all():
        raise UserError(
            f"the {len(targets)} validation tracks have no known label; make a label set that has some, or a larger split"
        )
    if select_by in ("loss", "last"):
        return
    has_positive, has_negative = (targets >= positive_at).any(axis=0), (targets < positive_at).any(axis=0)
    if not (has_positive & has_negative).any():
        raise UserError(
            f"--select-by {select_by}: is not defined on the {len(targets)} validation tracks, where no tag has both a positive "
            "and a negative; choose --select-by loss, or make a larger split"
        )
