"""Score the tracks of a split with a run's best epoch, or reuse the scores that an earlier evaluation left on disk."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np

from schemas.console.errors import DatasetError
from schemas.console.progress import Progress
from schemas.console.terminal import say
from schemas.features import FeatureSpec
from schemas.storage.files import exists
from training.data.label_mapping import LabelMapping, unseen
from training.data.labels import LabelledTracks, labelled_tracks
from training.data.records import TrackRecords
from training.data.staging import Stage
from training.evaluation.scoring import TrackScorer
from training.evaluation.stored_scores import ScoresOf, StoredScores, read_stored_scores
from training.runs.trained import TrainedRun


@dataclasses.dataclass(frozen=True)
class SplitScores:
    """Scores of a split, for the tags that the model and the labels share.

    Attributes:
        stored: the scores, as stored on disk.
        name: name of the evaluation's files, without extensions.
        removed: number of the split's tracks left out because they were removed from the dataset.
        seen: number of tracks left out because the model was trained or chosen by them; 0 on its own labels.
    """

    stored: StoredScores
    name: str
    removed: int
    seen: int


def score_split(
    run: TrainedRun,
    mapping: LabelMapping,
    split: str,
    *,
    stage: Stage | None = None,
    reuse: bool = False,
    must_keep: bool = True,
) -> SplitScores:
    """Score a split, and write the scores to evaluation/NAME_scores.parquet of the run.

    Args:
        run: the run.
        mapping: the labels, and which tags the model shares with them.
        split: train, validation or test.
        stage: place that payloads are copied to before they are read.
        reuse: use the existing file if it holds this checkpoint's scores of exactly these tracks.
        must_keep: whether it is an error that the file cannot be written; otherwise only a warning.

    Raises:
        UserError: there is no such split, or none of its tracks is new to the model.
        DatasetError: the features on disk do not fit.
    """
    tracks, seen = split_tracks(run, mapping, split, run.spec)
    name = evaluation_name(run, mapping, split)
    uri = run.folder.evaluation(f"{name}_scores.parquet")
    positive_at = mapping.labels.positive_at
    of = ScoresOf(mapping.tags, mapping.labels.reference, split, positive_at, run.checkpoint)
    stored = kept_scores(uri, of, tracks) if reuse else None
    if stored is None:
        records = staged_records(run, tracks, stage)
        scorer = TrackScorer(run.model, run.config.patch, run.config.part_size)
        with Progress(f"score {split}", len(tracks), "tracks") as progress:
            scores = scorer.scores(records, on_progress=progress.update)[:, mapping.outputs]
        if not np.isfinite(scores).all():
            raise DatasetError(
                f"{run.folder.root}: expected finite scores of {len(tracks)} {split} tracks, received "
                f"{int(np.isfinite(scores).all(axis=1).sum())}"
            )
        stored = StoredScores(of, tracks.track_ids, tracks.targets, scores)
        _keep(stored, uri, run, must_keep)
    return SplitScores(stored, name, tracks.removed, seen)


def _keep(stored: StoredScores, uri: str, run: TrainedRun, must_keep: bool) -> None:
    try:
        stored.write(uri)
    except Exception as error:  # each store has errors of its own
        if must_keep:
            raise
        words = f"{run.folder.root}: cannot be written, so the scores of {stored.of.split} are not kept: {error}"
        say(words, file=sys.stderr, level="warning")


def split_tracks(run: TrainedRun, mapping: LabelMapping, split: str, spec: FeatureSpec) -> tuple[LabelledTracks, int]:
    """The tracks of a split that are new to the model, with targets of the mapped tags, and how many are not new."""
    share = run.config.train_share if split == "train" else 1.0
    tracks = mapping.targets_of(labelled_tracks(run.dataset, mapping.labels, spec, split, share=share))
    if mapping.labels.reference == run.labels.reference:
        return tracks, 0
    return unseen(tracks, run.labels, mapping.labels.reference)


def staged_records(run: TrainedRun, tracks: LabelledTracks, stage: Stage | None) -> TrackRecords:
    """The records of some tracks, whose payloads are being copied to the stage."""
    records = TrackRecords(run.dataset, tracks, stage)
    if stage is not None:
        stage.begin(records.payloads(range(len(tracks))))
    return records


def evaluation_name(run: TrainedRun, mapping: LabelMapping, split: str) -> str:
    """The name of an evaluation's files: `own_evaluation`, with -NAME@HASH against labels other than the run's own."""
    name = own_evaluation(run.checkpoint, split, is_ensemble=bool(run.members))
    own = mapping.labels.reference == run.labels.reference
    return name if own else f"{name}-{mapping.labels.reference}"


def own_evaluation(checkpoint: str, split: str, *, is_ensemble: bool) -> str:
    """SPLIT, or ensemble-HASH-SPLIT in the first run of an ensemble, whose other evaluations it leaves alone."""
    return f"ensemble-{checkpoint[:12]}-{split}" if is_ensemble else split


def kept_scores(uri: str, of: ScoresOf, tracks: LabelledTracks) -> StoredScores | None:
    """The scores that a file holds; None if it is missing, damaged, or of something else than exactly these tracks."""
    if not exists(uri):
        return None
    try:
        stored = read_stored_scores(uri)
    except DatasetError:
        return None  # it is written again
    fits = stored.of == of and stored.track_ids == tracks.track_ids
    return dataclasses.replace(stored, targets=tracks.targets) if fits else None
