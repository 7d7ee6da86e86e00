from __future__ import annotations

import dataclasses
import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from tests.training.conftest import SmallDataset
from training.data.augmentation import Augmentation
from training.data.input import TrainingInput, epoch_batches, epoch_order
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.models.patches import patch_length


@pytest.fixture
def records(small_dataset: SmallDataset) -> TrackRecords:
    dataset = Dataset.open(small_dataset.root)
    return TrackRecords(
        dataset, labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), "train")
    )


# Without and with repeated tracks: 22 draws, of which the first track has 8 and every other 14 / 21 on average.
SAMPLINGS = pytest.mark.parametrize("rates", [None, np.array([8.0, *[14 / 21] * 21])], ids=["natural", "balanced"])


def _elements(source: TrainingInput, **options: object) -> list[tuple[np.ndarray, ...]]:
    return [tuple(part.numpy() for part in element) for element in source.dataset(0, **options)]


def test_an_epoch_visits_every_track_once_in_an_order_of_seed_and_epoch(records: TrackRecords) -> None:
    orders = [epoch_order(records.tracks, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(len(records.tracks))) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert orders[1] == epoch_order(records.tracks, 0, 1).tolist()


def test_a_long_order_stays_near_its_shards_and_mixes_them(records: TrackRecords) -> None:
    many = dataclasses.replace(
        records.tracks,
        track_ids=tuple(str(number) for number in range(6400)),
        shard=np.repeat(np.arange(64), 100),
        generation=np.zeros(6400, np.int64),
    )
    shards = many.shard[epoch_order(many, 0, 0)]
    assert all(len(set(shards[start : start + 1600])) == 16 for start in range(0, 6400, 1600))
    assert len(set(shards[:32])) > 8


def test_an_epoch_is_cut_into_equal_batches_that_together_hold_each_track_once() -> None:
    for tracks, sizes in ((20, [7, 7, 6]), (17, [6, 6, 5]), (16, [8, 8]), (3, [3])):
        batches = epoch_batches(np.arange(tracks), 8)
        assert [len(batch) for batch in batches] == sizes
        assert np.concatenate(batches).tolist() == list(range(tracks))


def test_patches_are_cut_from_their_own_track_and_repeat_bit_for_bit(records: TrackRecords) -> None:
    patch = patch_length(1.0, "spectrogram")
    first, again = (_elements(TrainingInput(records, patch, 8, seed=5)) for _ in range(2))
    order = epoch_order(records.tracks, 5, 0)
    assert sum(len(targets) for _, targets, _, _ in first) == len(order)
    for (patches, targets, weights, known), (patches_again, *_) in zip(first, again, strict=True):
        assert patches.tobytes() == patches_again.tobytes()
        assert known == weights.sum() == targets.size
    tracks = iter(order)
    for patches, targets, _, _ in first:
        for cut, target in zip(patches, targets, strict=True):
            track = int(next(tracks))
            whole = as_float(records.read(track))
            starts = [s for s in range(len(whole) - patch + 1) if np.array_equal(whole[s : s + patch], cut)]
            assert starts, f"the patch is not part of track {track}"
            assert np.array_equal(target, records.tracks.targets[track])


def test_several_patches_of_a_track_come_from_one_read_of_its_record(
    records: TrackRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = patch_length(0.5, "spectrogram")
    read: list[int] = []
    whole_read = TrackRecords.read
    monkeypatch.setattr(TrackRecords, "read", lambda self, number: read.append(number) or whole_read(self, number))
    source = TrainingInput(records, patch, 12, seed=5, patches_per_track=3)
    elements = _elements(source)
    order = epoch_order(records.tracks, 5, 0)
    assert sorted(read) == sorted(order)
    tracks = iter(epoch_batches(order, 4))
    for step, (patches, targets, weights, known) in enumerate(elements):
        batch = next(tracks)
        assert len(patches) == source.batch_length(step) == 3 * len(batch)
        assert known == weights.sum() == targets.size
        for place, (cut, target) in enumerate(zip(patches, targets, strict=True)):
            track = int(batch[place % len(batch)])
            whole = as_float(whole_read(records, track))
            starts = range(len(whole) - patch + 1)
            assert any(np.array_equal(whole[start : start + patch], cut) for start in starts)
            assert np.array_equal(target, records.tracks.targets[track])
        assert len({cut.tobytes() for cut in patches}) > 2 * len(batch), "the crops are drawn anew"
    parts = _elements(source, replicas=2)
    assert parts[0][0].shape[0] + parts[1][0].shape[0] == elements[0][0].shape[0]
    assert parts[0][3] == elements[0][3]


def test_the_patches_of_a_track_are_augmented_apart(records: TrackRecords) -> None:
    augmentation = Augmentation(time_masks=1, time_mask_frames=20)
    whole = patch_length(2.0, "spectrogram")  # as long as the shortest track, so that its crops are the same
    (shortest,) = np.flatnonzero(records.tracks.length == records.tracks.length.min())[:1]
    source = TrainingInput(records, whole, 2, 0, augmentation, patches_per_track=2)
    pair = next(
        patches
        for (patches, *_), batch in zip(_elements(source), source._epoch_plan(0).batches, strict=True)
        if batch.tolist() == [shortest]
    )
    assert not np.array_equal(pair[0], pair[1])


@SAMPLINGS
def test_replicas_share_each_global_batch_without_overlap(records: TrackRecords, rates: np.ndarray | None) -> None:
    source = TrainingInput(records, 63, 8, seed=0, rates=rates)
    whole = _elements(source)
    parts = _elements(source, replicas=2)
    only_second = _elements(source, replicas=2, mine=range(1, 2))
    assert len(parts) == 2 * len(whole)
    for step, (patches, _, _, known) in enumerate(whole):
        assert np.array_equal(np.concatenate([parts[2 * step][0], parts[2 * step + 1][0]]), patches)
        assert parts[2 * step][3] == parts[2 * step + 1][3] == known
        assert np.array_equal(only_second[step][0], parts[2 * step + 1][0])


@SAMPLINGS
def test_a_later_first_step_skips_batches_and_changes_nothing_else(
    records: TrackRecords, rates: np.ndarray | None
) -> None:
    whole = _elements(TrainingInput(records, 63, 8, seed=0, rates=rates))
    late = _elements(TrainingInput(records, 63, 8, seed=0, rates=rates), first_step=1)
    assert len(late) == len(whole) - 1
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(whole[1:], late, strict=True))


def test_a_track_that_is_drawn_again_has_another_crop(records: TrackRecords) -> None:
    patch = patch_length(0.5, "spectrogram")
    often = records.tracks.track_ids.index("track-02")  # it has noise, so that no other patch is like one of its own
    rates = np.full(22, 14 / 21)
    rates[often] = 8
    source = TrainingInput(records, patch, 8, seed=0, rates=rates)
    whole = as_float(records.read(often))
    of_track = [whole[start : start + patch].tobytes() for start in range(len(whole) - patch + 1)]
    elements = _elements(source)
    assert [len(patches) for patches, *_ in elements] == [source.batch_length(step) for step in range(source.steps)]
    found = [cut.tobytes() for patches, *_ in elements for cut in patches if cut.tobytes() in of_track]
    assert len(found) == 8
    assert len(set(found)) > 4
    assert all(len(set(ids)) == len(ids) for ids in (source.track_ids(0, step) for step in range(source.steps)))


def test_an_error_of_a_reading_thread_keeps_its_words(small_dataset: SmallDataset, tmp_path: Path) -> None:
    import tensorflow as tf

    copy = small_dataset.copy(tmp_path / "copy")
    dataset = Dataset.open(copy.root)
    tracks = labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), "train")
    broken = TrackRecords(dataset, tracks)
    for payload in Path(copy.root, "features").glob("logmel-*/gen-000/*.tfrecord"):
        payload.write_bytes(bytes(payload.stat().st_size))
    source = TrainingInput(broken, 63, 8, seed=0)
    with pytest.raises(tf.errors.OpError):
        _elements(source)
    assert isinstance(source.failure, DatasetError)
    assert "no TFRecord record starts here" in str(source.failure)


def test_an_epoch_that_is_over_is_forgotten(records: TrackRecords) -> None:
    source = TrainingInput(records, patch_length(1.0, "spectrogram", records.spec.hop_length), 8, seed=3)
    _elements(source)
    plan = weakref.ref(source._epoch_plan(0))
    list(source.dataset(1))
    gc.collect()
    assert plan() is None
