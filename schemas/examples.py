"""The records of a shard: tf.train.Example messages, written and read without TensorFlow.

Records are read with message types of a private descriptor pool, so that this module and TensorFlow can share a process,
and written by hand, so that a track of hours need not be held in memory; the bytes are those that TensorFlow itself would
write.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from schemas.console.errors import DatasetError
from schemas.features import Family, FeatureSpec, WaveformSpec

# Value key and length key of each family; each record also has `track_id`.
EXAMPLE_KEYS: dict[Family, tuple[str, str]] = {"logmel": ("logmel", "frames"), "waveform": ("waveform", "samples")}
EXAMPLE_DTYPES: dict[Family, np.dtype[Any]] = {"logmel": np.dtype("<f2"), "waveform": np.dtype("<i2")}

MOST_EXAMPLE_BYTES = (1 << 31) - 1  # largest protobuf message
# 1 MiB is reserved for the id and the other bytes around the values.
MOST_VALUE_BYTES = MOST_EXAMPLE_BYTES - (1 << 20)


def most_samples(spec: FeatureSpec) -> int:
    """Number of samples of the longest waveform whose feature fits into a record."""
    if isinstance(spec, WaveformSpec):
        return MOST_VALUE_BYTES // EXAMPLE_DTYPES["waveform"].itemsize
    frames = MOST_VALUE_BYTES // (spec.mels * EXAMPLE_DTYPES["logmel"].itemsize)
    return (frames - 1) * spec.hop_length


@functools.cache
def _example_class() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tagscale/example.proto", package="tagscale", syntax="proto3")

    def message(name: str, *fields: descriptor_pb2.FieldDescriptorProto) -> descriptor_pb2.DescriptorProto:
        declared = file.message_type.add(name=name)
        declared.field.extend(fields)
        return declared

    def nested(name: str, number: int, kind: str, *, one_of: bool = False) -> descriptor_pb2.FieldDescriptorProto:
        declared = field(
            name=name, number=number, type=field.TYPE_MESSAGE, label=field.LABEL_OPTIONAL, type_name=f".tagscale.{kind}"
        )
        if one_of:
            declared.oneof_index = 0
        return declared

    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        message(name, field(name="value", number=1, type=kind, label=field.LABEL_REPEATED))
    feature = message(
        "Feature",
        nested("bytes_list", 1, "BytesList", one_of=True),
        nested("float_list", 2, "FloatList", one_of=True),
        nested("int64_list", 3, "Int64List", one_of=True),
    )
    feature.oneof_decl.add(name="kind")
    features = message("Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.append(field(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL))
    entry.field.append(nested("value", 2, "Feature"))
    features.field.append(
        field(
            name="feature",
            number=1,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_REPEATED,
            type_name=".tagscale.Features.FeatureEntry",
        )
    )
    message("Example", nested("features", 1, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tagscale.Example"))


def encode_example(family: Family, track_id: str, values: npt.NDArray[Any]) -> bytes:
    """The payload of a record.

    Args:
        family: `logmel` (values float16 [frames, mels]) or `waveform` (values int16 [samples]).
        track_id: Id in the catalog.
        values: The feature in the family's dtype.
    """
    if values.dtype != EXAMPLE_DTYPES[family]:
        raise TypeError(f"Expected {EXAMPLE_DTYPES[family]} values for {family}. Received: {values.dtype}")
    before, after = around_values(family, track_id, len(values), values.nbytes)
    return b"".join((before, values.tobytes(), after))


def blank_example(family: Family, track_id: str, length: int, value_bytes: int) -> bytes:
    """The payload of an erased record: as long as that of `track_id`, with zeros for its id and values."""
    before, after = around_values(family, "\0" * len(track_id.encode()), length, value_bytes)
    return before + bytes(value_bytes) + after


def around_values(family: Family, track_id: str, length: int, value_bytes: int) -> tuple[bytes, bytes]:
    """The bytes before and after the values in a record's payload, so that a long feature is written as it is read.

    The wire format is that of tf.train.Example, with the map ordered by key as in a deterministic protobuf serializer.

    Args:
        family: Feature family, as for `encode_example`.
        track_id: Id in the catalog.
        length: Number of frames or samples.
        value_bytes: Size of the values in bytes.
    """
    value_key, length_key = EXAMPLE_KEYS[family]
    # Example.features.feature is a map: entries of a key (field 1) and a Feature (field 2), which holds a BytesList
    # (field 1) or an Int64List (field 3) of one value (field 1).
    identity, number = track_id.encode(), _varint(length)
    heads = {
        "track_id": _entry_head("track_id", 1, len(identity)),
        length_key: _entry_head(length_key, 3, len(number)),
        value_key: _entry_head(value_key, 1, value_bytes),
    }
    contents = {"track_id": identity, length_key: number}
    parts = [_field_head(1, sum(map(len, heads.values())) + len(identity) + len(number) + value_bytes)]
    for key in sorted(heads):
        parts.append(heads[key])
        if key == value_key:
            place = len(parts)
        else:
            parts.append(contents[key])
    return b"".join(parts[:place]), b"".join(parts[place:])


@functools.lru_cache(maxsize=4096)
def value_count(family: Family, id_bytes: int, payload_bytes: int, row_bytes: int) -> int | None:
    """Number of frames or samples of a record, from its size alone; None if no record has this size.

    Args:
        family: Feature family, as for `encode_example`.
        id_bytes: Size of the track id in UTF-8.
        payload_bytes: Size of the record's payload.
        row_bytes: Size of a frame or a sample.
    """
    count = payload_bytes // row_bytes
    while count > 0:
        before, after = around_values(family, "\0" * id_bytes, count, count * row_bytes)
        surplus = len(before) + count * row_bytes + len(after) - payload_bytes
        if surplus <= 0:
            return count if surplus == 0 else None
        count -= -(-surplus // row_bytes)
    return None


@dataclasses.dataclass(frozen=True)
class Streamed:
    """A byte string that is written as it is read.

    Attributes:
        nbytes: Size in bytes.
        blocks: Returns its bytes in blocks.
    """

    nbytes: int
    blocks: Callable[[], Iterator[bytes]]


# Values of a feature of an Example: texts or other byte strings, one long byte string, float32 or int64 [values].
FieldValue = Sequence[bytes] | Streamed | npt.NDArray[Any]


def example_parts(fields: Mapping[str, FieldValue]) -> tuple[int, Iterator[bytes]]:
    """Any tf.train.Example with its map ordered by key: its length in bytes, and its bytes in pieces."""
    entries: list[tuple[bytes, Callable[[], Iterator[bytes]]]] = []
    length = 0
    for key in sorted(fields):
        kind, size, parts = _list_of(fields[key])
        feature = _field_head(kind, size)
        entry = _field_head(1, len(key)) + key.encode() + _field_head(2, len(feature) + size) + feature
        head = _field_head(1, len(entry) + size) + entry
        entries.append((head, parts))
        length += len(head) + size
    start = _field_head(1, length)

    def whole() -> Iterator[bytes]:
        yield start
        for head, parts in entries:
            yield head
            yield from parts()

    return len(start) + length, whole()


def _list_of(value: FieldValue) -> tuple[int, int, Callable[[], Iterator[bytes]]]:
    """Field number of a value's list in a Feature, and the list's size and bytes."""
    if isinstance(value, Streamed):
        head = _field_head(1, value.nbytes)
        return 1, len(head) + value.nbytes, lambda: itertools.chain((head,), value.blocks())
    if isinstance(value, np.ndarray):
        if value.dtype == np.float32:
            kind, packed = 2, value.astype("<f4").tobytes()
        elif value.dtype == np.int64:
            kind, packed = 3, b"".join(_varint(int(number) & 0xFFFFFFFFFFFFFFFF) for number in value)
        else:
            raise TypeError(f"Expected float32 or int64 values. Received: {value.dtype}")
        content = _field_head(1, len(packed)) + packed if packed else b""
    else:
        kind, content = 1, b"".join(_field_head(1, len(text)) + text for text in value)
    return kind, len(content), lambda: iter((content,))


def _entry_head(key: str, kind: int, content_bytes: int) -> bytes:
    """The part of a map entry before the content of its single value."""
    value = _field_head(1, content_bytes)
    feature = _field_head(kind, len(value) + content_bytes) + value
    entry = _field_head(1, len(key)) + key.encode() + _field_head(2, len(feature) + content_bytes) + feature
    return _field_head(1, len(entry) + content_bytes) + entry


def _field_head(number: int, content_bytes: int) -> bytes:
    """Tag and length of a length-delimited field."""
    return bytes((number << 3 | 2,)) + _varint(content_bytes)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode_example(family: Family, payload: bytes, *, where: str) -> tuple[str, npt.NDArray[Any]]:
    """Track id and feature of a record's payload: logmel float16 [frames, mels], waveform int16 [samples].

    Raises:
        DatasetError: the payload is not a record of this family, or its length and its bytes disagree.
    """
    value_key, length_key = EXAMPLE_KEYS[family]
    try:
        features = _example_class().FromString(payload).features.feature
        for key in ("track_id", value_key, length_key):
            if key not in features:
                raise ValueError(f"it has no {key!r}")
        track_id = features["track_id"].bytes_list.value[0].decode()
        values = np.frombuffer(features[value_key].bytes_list.value[0], dtype=EXAMPLE_DTYPES[family])
        length = int(features[length_key].int64_list.value[0])
        if family == "logmel":
            values = values.reshape(length, -1)
        elif len(values) != length:
            raise ValueError(f"it names {length} {length_key} and holds {len(values)}")
    except Exception as error:  # protobuf's DecodeError is not importable by one name across its versions
        raise DatasetError(f"{where}: not a {family} record: {error}") from error
    return track_id, values
