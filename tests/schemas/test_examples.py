"""Records, compared with TensorFlow's own Example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas.console.errors import DatasetError
from schemas.examples import Streamed, decode_example, encode_example, example_parts
from schemas.tfrecord import frame

WAVEFORM = np.arange(-300, 300, dtype="<i2")
LOGMEL = np.linspace(0, 4, 5 * 96).astype("<f2").reshape(5, 96)
RECORDS = {"waveform": WAVEFORM, "logmel": LOGMEL}
LENGTHS = {"waveform": "samples", "logmel": "frames"}


@pytest.mark.parametrize("family", RECORDS)
@pytest.mark.parametrize("track_id", ["007", "Künstler / 音楽", ""])
def test_a_record_is_byte_identical_to_tensorflows(family: str, track_id: str) -> None:
    import tensorflow as tf

    values = RECORDS[family]

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    feature = {
        "track_id": of_bytes(track_id.encode()),
        family: of_bytes(values.tobytes()),
        LENGTHS[family]: tf.train.Feature(int64_list=tf.train.Int64List(value=[len(values)])),
    }
    theirs = tf.train.Example(features=tf.train.Features(feature=feature))
    assert encode_example(family, track_id, values) == theirs.SerializeToString(deterministic=True)


def test_any_example_is_byte_identical_to_tensorflows() -> None:
    import tensorflow as tf

    labels, known = np.array([0, 0.25, 1], np.float32), np.array([0, 1, -1, 1 << 40], np.int64)
    long = bytes(range(256)) * 5
    blocks = (long[:7], long[7:900], long[900:])
    fields = {
        "track_id": [b"7"],
        "tags": [b"rock", "é|x".encode(), b""],
        "none": [],
        "labels": labels,
        "no_labels": labels[:0],
        "known": known,
        "logmel": Streamed(len(long), lambda: iter(blocks)),
    }
    as_bytes = {name: value for name, value in fields.items() if isinstance(value, list)} | {"logmel": [long]}
    theirs = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value)) for name, value in as_bytes.items()}
    for name in ("labels", "no_labels"):
        theirs[name] = tf.train.Feature(float_list=tf.train.FloatList(value=fields[name]))
    theirs["known"] = tf.train.Feature(int64_list=tf.train.Int64List(value=known))
    expected = tf.train.Example(features=tf.train.Features(feature=theirs)).SerializeToString(deterministic=True)
    length, parts = example_parts(fields)
    assert (length, b"".join(parts)) == (len(expected), expected)
    with pytest.raises(TypeError, match="Expected float32 or int64"):
        example_parts({"x": np.zeros(1)})


@pytest.mark.parametrize("family", RECORDS)
def test_tf_data_reads_records_by_the_documented_spec(family: str, tmp_path: Path) -> None:
    import tensorflow as tf

    path = tmp_path / "part.tfrecord"
    values = RECORDS[family]
    path.write_bytes(frame(encode_example(family, "a", values)) + frame(encode_example(family, "b", values[:2])))
    spec = {
        "track_id": tf.io.FixedLenFeature([], tf.string),
        family: tf.io.FixedLenFeature([], tf.string),
        LENGTHS[family]: tf.io.FixedLenFeature([], tf.int64),
    }
    found = list(tf.data.TFRecordDataset(str(path)).map(lambda record: tf.io.parse_single_example(record, spec)))
    assert [example["track_id"].numpy() for example in found] == [b"a", b"b"]
    assert [int(example[LENGTHS[family]]) for example in found] == [len(values), 2]
    dtype = tf.float16 if family == "logmel" else tf.int16
    decoded = tf.io.decode_raw(found[0][family], dtype).numpy().reshape(values.shape)
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("family", RECORDS)
def test_a_record_comes_back(family: str) -> None:
    track_id, values = decode_example(family, encode_example(family, "träck", RECORDS[family]), where="here")
    assert track_id == "träck"
    np.testing.assert_array_equal(values, RECORDS[family])


def test_a_record_of_the_other_family_is_refused_with_its_place() -> None:
    with pytest.raises(DatasetError, match="part-3 record 2: not a logmel record: it has no 'logmel'"):
        decode_example("logmel", encode_example("waveform", "a", WAVEFORM), where="part-3 record 2")


def test_bytes_that_are_no_record_are_refused_with_their_place() -> None:
    with pytest.raises(DatasetError, match="part-3: not a waveform record"):
        decode_example("waveform", b"\xff\xff\xff not a message", where="part-3")


def test_a_length_that_disagrees_with_the_samples_is_refused() -> None:
    whole = encode_example("waveform", "a", WAVEFORM[:100])
    lying = whole.replace(b"\x1a\x03\n\x01d", b"\x1a\x03\n\x01c")  # int64_list of 100 becomes one of 99
    assert lying != whole
    with pytest.raises(DatasetError, match="names 99 samples and holds 100"):
        decode_example("waveform", lying, where="part-3")


def test_values_of_another_type_are_never_written() -> None:
    with pytest.raises(TypeError, match="Expected int16 values for waveform"):
        encode_example("waveform", "a", WAVEFORM.astype(np.float32))
