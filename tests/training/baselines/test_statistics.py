from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from tests.training.conftest import TAGS, SmallDataset
from training.baselines.kinds import BASELINES, BaselineKind
from training.baselines.models import baseline_scores
from training.baselines.statistics import statistics_of, track_statistics
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float


def _records(small_dataset: SmallDataset, split: str) -> TrackRecords:
    dataset = Dataset.open(small_dataset.root)
    return TrackRecords(dataset, labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), split))


def test_statistics_are_mean_deviation_and_deviation_of_change_of_each_band(small_dataset: SmallDataset) -> None:
    records = _records(small_dataset, "train")
    counted: list[int] = []
    rows = track_statistics(records, counted.append)
    assert rows.shape == (len(records.tracks), 288)
    assert rows.dtype == np.float32
    assert counted == list(range(1, len(records.tracks) + 1))
    for number in range(len(records.tracks)):
        logmel = as_float(records.read(number)).astype(np.float64)
        assert rows[number, :96] == pytest.approx(logmel.mean(axis=0), abs=1e-4)
        assert rows[number, 96:192] == pytest.approx(logmel.std(axis=0), abs=1e-4)
        assert rows[number, 192:] == pytest.approx(np.diff(logmel, axis=0).std(axis=0), abs=1e-4)


def test_a_track_of_one_frame_has_finite_statistics() -> None:
    assert np.isfinite(statistics_of(np.ones((1, 96), np.float16))).all()


@pytest.mark.parametrize("kind", BASELINES)
def test_a_baseline_fitted_on_training_tracks_tells_the_noisy_test_tracks(
    small_dataset: SmallDataset, kind: BaselineKind
) -> None:
    train, test = _records(small_dataset, "train"), _records(small_dataset, "test")
    scores = baseline_scores(kind, track_statistics(train), train.tracks.targets, track_statistics(test), 0.5)
    noise = TAGS.index("noise")
    # With so few tracks a tree cannot split, so its scores are all the same.
    assert roc_auc_score(test.tracks.targets[:, noise], scores[:, noise]) >= (0.9 if kind == "logistic" else 0.5)


def test_a_damaged_record_is_an_error_with_its_place(small_dataset: SmallDataset, tmp_path) -> None:
    from pathlib import Path

    copy = small_dataset.copy(tmp_path / "copy")
    for payload in Path(copy.root, "features").glob("logmel-*/gen-000/*.tfrecord"):
        payload.write_bytes(bytes(payload.stat().st_size))
    with pytest.raises(DatasetError, match="no TFRecord record starts here"):
        track_statistics(_records(copy, "train"))
