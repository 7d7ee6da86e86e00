"""The records of a shard: tf.train.Example messages, written and read without TensorFlow.

The message types are declared in a private descriptor pool, so that this module and TensorFlow can live in one
process; `SerializeToString(deterministic=True)` gives the bytes that TensorFlow itself would write.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from schemas.errors import DatasetError
from schemas.features import Family

# The value key and the length key of each family; each record has `track_id` beside them.
EXAMPLE_KEYS: dict[Family, tuple[str, str]] = {"logmel": ("logmel", "frames"), "waveform": ("waveform", "samples")}
EXAMPLE_DTYPES: dict[Family, np.dtype[Any]] = {"logmel": np.dtype("<f2"), "waveform": np.dtype("<i2")}


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
    """A record's payload.

    Args:
        family: `logmel` (values float16 [frames, mels]) or `waveform` (values int16 [samples]).
        track_id: the catalog's id.
        values: the feature in the family's dtype.
    """
    value_key, length_key = EXAMPLE_KEYS[family]
    if values.dtype != EXAMPLE_DTYPES[family]:
        raise TypeError(f"Expected {EXAMPLE_DTYPES[family]} values for {family}. Received: {values.dtype}")
    example = _example_class()()
    features = example.features.feature
    features["track_id"].bytes_list.value.append(track_id.encode())
    features[value_key].bytes_list.value.append(values.tobytes())
    features[length_key].int64_list.value.append(len(values))
    return bytes(example.SerializeToString(deterministic=True))


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
