from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.features import Family
from schemas.label_version import open_labels
from schemas.tfrecord import read_records, record_header
from tests.training.conftest import SmallDataset
from training.data.labels import LabelledTracks, labelled_tracks
from training.data.records import TrackRecords


def _tracks(root: str, family: Family = "logmel", split: str = "train") -> tuple[Dataset, LabelledTracks]:
    dataset = Dataset.open(root)
    return dataset, labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec(family), split)


def _payloads(root: str, family: Family = "logmel") -> list[Path]:
    return sorted(Path(root, "features").glob(f"{family}-*/gen-000/*.tfrecord"))


def _read_all(root: str) -> None:
    dataset, tracks = _tracks(root)
    records = TrackRecords(dataset, tracks)
    for number in range(len(tracks)):
        records.read(number)


@pytest.mark.parametrize("family", ["logmel", "waveform"])
def test_each_track_gets_its_own_record_with_the_stored_length(small_dataset: SmallDataset, family: Family) -> None:
    dataset, tracks = _tracks(small_dataset.root, family)
    records = TrackRecords(dataset, tracks)
    for number, track_id in enumerate(tracks.track_ids):
        values = records.read(number)
        samples = round((2.0, 3.1, 4.0)[int(track_id[-2:]) % 3] * 16_000)
        if family == "waveform":
            assert values.dtype == np.int16
            assert abs(len(values) - samples) <= 1
        else:
            assert values.dtype == np.float16
            assert values.shape == (1 + samples // 256, 96)


def test_a_payload_cut_on_a_record_boundary_is_found_before_the_first_step(
    small_dataset: SmallDataset, tmp_path: Path
) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    dataset, tracks = _tracks(copy.root)
    shard = tracks.shard[0]
    uri, _ = dataset.payload(dataset.spec("logmel"), 0, int(shard))
    last = int(tracks.offset[tracks.shard == shard].max())
    Path(uri).write_bytes(Path(uri).read_bytes()[:last])
    with pytest.raises(DatasetError, match=r"expected \d+ bytes, found \d+; the file was cut or replaced"):
        TrackRecords(dataset, tracks)


def test_two_swapped_payloads_are_found(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    one, other = _payloads(copy.root)[:2]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(DatasetError, match="cut or replaced|no TFRecord record starts here|found"):
        _read_all(copy.root)


def test_two_swapped_payloads_of_one_size_are_found_by_their_ids(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    dataset, tracks = _tracks(copy.root)
    records = TrackRecords(dataset, tracks)
    same = [
        (a, b)
        for a in range(len(tracks))
        for b in range(a)
        if tracks.length[a] == tracks.length[b] and tracks.shard[a] != tracks.shard[b]
    ]
    a, b = same[0]
    uri_a, uri_b = (dataset.payload(dataset.spec("logmel"), 0, int(tracks.shard[number]))[0] for number in (a, b))
    record_a = Path(uri_a).read_bytes()[tracks.offset[a] : tracks.offset[a] + tracks.length[a]]
    data = bytearray(Path(uri_b).read_bytes())
    data[tracks.offset[b] : tracks.offset[b] + tracks.length[b]] = record_a
    Path(uri_b).write_bytes(data)
    with pytest.raises(DatasetError, match=f"expected track '{tracks.track_ids[b]}', found '{tracks.track_ids[a]}'"):
        records.read(b)


def test_a_flipped_byte_in_a_record_is_found(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    for payload in _payloads(copy.root):
        with payload.open("rb") as file:
            places = [place for place, _ in read_records(file, where=str(payload))]
        data = bytearray(payload.read_bytes())
        for place in places:
            data[place + len(record_header(0)) + 500] ^= 1  # behind the length, in the record's own bytes
        payload.write_bytes(data)
    with pytest.raises(DatasetError, match="the record's bytes have changed"):
        _read_all(copy.root)


def test_a_missing_payload_and_a_foreign_done_mark_are_named(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    _payloads(copy.root)[0].unlink()
    with pytest.raises(DatasetError, match="the payload is missing though its done mark is there"):
        _read_all(copy.root)
    mark = _payloads(copy.root)[0].parent / "part-00000.json"
    mark.write_text(json.dumps({"format": 1, "payload": "x"}))
    with pytest.raises(DatasetError, match="not a valid ShardManifest"):
        _read_all(copy.root)


@pytest.mark.parametrize("family", ["logmel", "waveform"])
def test_only_the_patch_of_a_long_record_is_read_and_its_track_is_checked(
    small_dataset: SmallDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    from training.data import records as module

    copy = small_dataset.copy(tmp_path / "copy")
    dataset, tracks = _tracks(copy.root, family)
    records = TrackRecords(dataset, tracks)
    number = int(np.argmax(tracks.length))
    whole = records.read(number)
    read: list[int] = []
    read_range = module.read_range

    def counted(uri: str, offset: int, length: int) -> bytes:
        read.append(length)
        return read_range(uri, offset, length)

    monkeypatch.setattr(module, "read_range", counted)
    monkeypatch.setattr(module, "SAVED_BYTES", 1)
    for start in (0, 3, len(whole) - 20):
        read.clear()
        (patch,) = records.read_patches(number, 20, lambda length, start=start: [start])
        assert np.array_equal(patch, whole[start : start + 20])
        assert sum(read) < patch.nbytes + 200
    first, last = records.read_patches(number, 20, lambda length: [0, length - 5])
    assert np.array_equal(first, whole[:20])
    assert np.array_equal(last, whole[-5:])
    assert records.longest == len(whole)
    uri, _ = dataset.payload(dataset.spec(family), 0, int(tracks.shard[number]))
    data = bytearray(Path(uri).read_bytes())
    place = data.index(tracks.track_ids[number].encode(), int(tracks.offset[number]))
    data[place : place + 5] = b"other"
    Path(uri).write_bytes(data)
    with pytest.raises(DatasetError, match="the record's bytes have changed"):
        records.read_patches(number, 20, lambda length: [0])
