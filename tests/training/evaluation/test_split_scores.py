from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import TAGS
from training.data.label_mapping import map_labels
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords
from training.evaluation.scoring import TrackScorer
from training.evaluation.split_scores import score_split
from training.evaluation.stored_scores import ScoresOf, read_stored_scores
from training.runs.trained import open_run


@pytest.fixture
def run_copy(small_run: str, tmp_path: Path) -> str:
    return str(shutil.copytree(small_run, tmp_path / "run"))


def test_the_scores_on_disk_say_what_they_are_of(run_copy: str) -> None:
    run = open_run(run_copy)
    score_split(run, map_labels(run.labels, run.labels), "test")
    stored = read_stored_scores(str(Path(run_copy, "evaluation", "test_scores.parquet")))
    state = json.loads(Path(run_copy, "checkpoints", "best", "state.json").read_text())
    assert stored.of == ScoresOf(TAGS, run.labels.reference, "test", 0.5, state["sha256"])
    records = TrackRecords(run.dataset, labelled_tracks(run.dataset, run.labels, run.spec, "test"))
    assert stored.track_ids == records.tracks.track_ids
    assert np.array_equal(stored.targets, records.tracks.targets)
    scores = TrackScorer(run.model, run.config.patch, run.config.batch_size).scores(records)
    assert np.array_equal(stored.scores, scores)


@pytest.mark.slow
def test_scores_are_taken_from_disk_only_where_checkpoint_labels_and_tracks_fit(run_copy: str) -> None:
    run = open_run(run_copy)
    mapping = map_labels(run.labels, run.labels)
    path = Path(run_copy, "evaluation", "test_scores.parquet")
    fresh = score_split(run, mapping, "test").stored
    marked = dataclasses.replace(fresh, scores=fresh.scores / 2)
    others = [
        dataclasses.replace(marked, of=dataclasses.replace(fresh.of, checkpoint="0" * 64)),
        dataclasses.replace(marked, of=dataclasses.replace(fresh.of, label_set="small@other")),
        dataclasses.replace(marked, track_ids=("another", *fresh.track_ids[1:])),
    ]
    marked.write(str(path))
    assert np.array_equal(score_split(run, mapping, "test", reuse=True).stored.scores, marked.scores)
    assert np.array_equal(score_split(run, mapping, "test").stored.scores, fresh.scores)
    for other in others:
        other.write(str(path))
        assert np.array_equal(score_split(run, mapping, "test", reuse=True).stored.scores, fresh.scores)
    path.write_bytes(b"cut short")
    assert np.array_equal(score_split(run, mapping, "test", reuse=True).stored.scores, fresh.scores)
