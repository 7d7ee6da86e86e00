"""TFRecord framing, compared with TensorFlow's own writer; damage is found and located."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from schemas.console.errors import DatasetError
from schemas.tfrecord import frame, read_records, unframe

PAYLOADS = (b"", b"a", b"music" * 100, bytes(range(256)) * 50)


def test_a_file_is_byte_identical_to_tensorflows(tmp_path: Path) -> None:
    import tensorflow as tf

    path = str(tmp_path / "theirs.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    assert b"".join(map(frame, PAYLOADS)) == Path(path).read_bytes()


def test_tensorflow_reads_what_is_framed_here(tmp_path: Path) -> None:
    import tensorflow as tf

    path = tmp_path / "ours.tfrecord"
    path.write_bytes(b"".join(map(frame, PAYLOADS)))
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == list(PAYLOADS)


def test_records_come_back_with_their_places() -> None:
    data = b"".join(map(frame, PAYLOADS))
    found = list(read_records(io.BytesIO(data), where="file"))
    assert [payload for _, payload in found] == list(PAYLOADS)
    for offset, payload in found:
        assert unframe(data[offset : offset + len(frame(payload))], where="file") == payload


@pytest.mark.parametrize("kept", [1, 11, 12, 13, 20, -1])
def test_a_cut_record_is_named_with_file_and_place(kept: int) -> None:
    whole, cut = frame(b"first"), frame(b"the second one")
    with pytest.raises(DatasetError, match=rf"part-7 at byte {len(whole)}: .*"):
        list(read_records(io.BytesIO(whole + cut[:kept]), where="part-7"))
    with pytest.raises(DatasetError, match="part-7"):
        unframe(cut[:kept], where="part-7")


@pytest.mark.parametrize("place", [0, 8, 12, 20, -1])
def test_a_flipped_byte_is_named_with_file_and_place(place: int) -> None:
    whole, damaged = frame(b"first"), bytearray(frame(b"the second one"))
    damaged[place] ^= 1
    with pytest.raises(DatasetError, match=rf"part-7 at byte {len(whole)}: "):
        list(read_records(io.BytesIO(whole + bytes(damaged)), where="part-7"))
    with pytest.raises(DatasetError, match="part-7"):
        unframe(bytes(damaged), where="part-7")


def test_a_foreign_file_is_no_record() -> None:
    with pytest.raises(DatasetError, match="page at byte 0: no TFRecord record starts here"):
        list(read_records(io.BytesIO(b"<html><body>not found</body></html>"), where="page"))


def test_a_record_with_its_neighbour_is_not_one_record() -> None:
    with pytest.raises(DatasetError, match=r"expected a record of \d+ bytes, found one of 21 bytes"):
        unframe(frame(b"first") + frame(b"second"), where="part-7")
