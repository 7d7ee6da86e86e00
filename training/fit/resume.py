"""Resume a run at its newest checkpoint, or begin it with the weights of another run or with fresh ones."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import keras

from schemas.console.terminal import say
from training.config import TrainConfig
from training.data.input_statistics import input_statistics
from training.data.labels import LabelledTracks
from training.data.records import TrackRecords
from training.fit.init_from import InitSummary, start_from
from training.runs.checkpoints import BEST_NAME, LoopState, TornCheckpoint
from training.runs.run_folder import RunFolder


def resume_or_begin(
    run: RunFolder,
    config: TrainConfig,
    model: keras.Model,
    variables: dict[str, Any],
    training: TrackRecords,
    vocabulary: Sequence[str],
) -> tuple[LoopState, InitSummary | None]:
    """Load the newest checkpoint; if there is none, give the model the weights that the configuration starts from.

    Args:
        run: files of the run.
        config: configuration of the run.
        model: a tagger with its initial weights, which are among `variables`; under a strategy, call this in its scope.
        variables: the contents of a checkpoint, by name.
        training: the training split.
        vocabulary: the tags, in output order.

    Returns:
        The run's position, and a summary of the weights taken from another run, if this call took any.

    Raises:
        UserError: the weights of the other run do not fit.
        DatasetError: a checkpoint belongs to another model, or a record is damaged.
    """
    state = run.checkpoints().newest(variables)
    if state is not None:
        return _with_whole_best(run, _same_tracks(run, config, state, training.tracks)), None
    started_from = None
    if config.init_from:
        started_from = start_from(model, config, training.spec, vocabulary)
    elif config.normalize_input:
        model.get_layer("normalized").set_statistics(*input_statistics(training))
    return LoopState(label_version=config.label_set, tracks=_hash_of(training.tracks)), started_from


def _hash_of(tracks: LabelledTracks) -> str:
    return hashlib.sha256("\n".join(tracks.track_ids).encode()).hexdigest()


def _same_tracks(run: RunFolder, config: TrainConfig, state: LoopState, tracks: LabelledTracks) -> LoopState:
    """The position among the present tracks; if some were removed, the epoch under way starts again."""
    now = _hash_of(tracks)
    if state.tracks == now:
        return state
    say(
        f"warning: {run.root}: training tracks were removed from the dataset since; the run continues with the others, from the "
        f"beginning of epoch {state.epoch + 1}",
        file=sys.stderr,
    )
    loss = state.epoch_loss if config.counts_steps else 0.0
    return dataclasses.replace(state, tracks=now, epoch_step=0, epoch_loss=loss)


def _with_whole_best(run: RunFolder, state: LoopState) -> LoopState:
    """The position, without a best epoch if that epoch's checkpoint is torn or gone."""
    if state.best is None:
        return state
    try:
        run.checkpoints().load(BEST_NAME)
    except TornCheckpoint as error:
        say(
            f"warning: {error}; the weights of epoch {state.best_epoch}, the best one, are lost: the best epoch is chosen from "
            "the rest of the run, or the newest weights are taken",
            file=sys.stderr,
        )
        return dataclasses.replace(state, best=None, best_epoch=0, best_step=0)
    return state
