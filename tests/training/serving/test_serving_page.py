"""docs/serving.md: its batching file is what TensorFlow Serving reads, and its advice on padding holds for the SavedModel."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"
# The fields of BatchingParameters in TensorFlow Serving's session_bundle_config.proto: name, number, type.
FIELDS = (
    ("max_batch_size", 1, "Int64Value"),
    ("batch_timeout_micros", 2, "Int64Value"),
    ("max_enqueued_batches", 3, "Int64Value"),
    ("num_batch_threads", 4, "Int64Value"),
    ("thread_pool_name", 5, "StringValue"),
    ("allowed_batch_sizes", 6, None),
    ("pad_variable_length_inputs", 7, None),
)


@functools.cache
def signatures_of(model: Path) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(str(model)).signatures


def batching_parameters() -> Any:
    """An empty BatchingParameters message."""
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="BatchingParameters")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, number, wrapper in FIELDS:
        field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
        if wrapper is not None:
            field.type, field.type_name = kinds.TYPE_MESSAGE, f".google.protobuf.{wrapper}"
        elif name == "allowed_batch_sizes":
            field.type, field.label = kinds.TYPE_INT64, kinds.LABEL_REPEATED
        else:
            field.type = kinds.TYPE_BOOL
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters"))()


def test_tensorflow_serving_reads_the_batching_file() -> None:
    after = PAGE.read_text(encoding="utf-8").split("`BatchingParameters` message")[1].splitlines()
    block = itertools.takewhile(lambda line: line.startswith("    "), after[2:])
    parsed = text_format.Parse("\n".join(line.strip() for line in block), batching_parameters())
    assert parsed.pad_variable_length_inputs is True
    assert parsed.max_batch_size.value == 16
    assert {field.name for field, _ in parsed.ListFields()} == {
        name for name, _, _ in FIELDS if name not in ("thread_pool_name", "allowed_batch_sizes")
    }


def test_padding_by_a_row_s_first_sample_does_not_count_in_padded(small_model: Path) -> None:
    import tensorflow as tf

    signatures = signatures_of(small_model)
    rng = np.random.default_rng(0)
    rows = [rng.normal(scale=0.1, size=length).astype(np.float32) for length in (48_000, 20_001, 40_000)]
    # As AddPadding in TensorFlow Serving's batching_util.h does it.
    padded = np.stack([np.append(row, np.full(48_000 - len(row), row[0])) for row in rows]).astype(np.float32)
    lengths = np.array([len(row) for row in rows], np.int32)
    together = signatures["padded"](waveform=tf.constant(padded), samples=tf.constant(lengths))["scores"].numpy()
    for row, scores in zip(rows, together, strict=True):
        alone = signatures["serving_default"](waveform=tf.constant(row[np.newaxis]))["scores"].numpy()[0]
        np.testing.assert_allclose(scores, alone, rtol=0, atol=1e-5)
    counted = signatures["serving_default"](waveform=tf.constant(padded))["scores"].numpy()
    assert np.abs(counted[1] - together[1]).max() > 1e-3  # the advice is needed


def test_the_page_names_the_signatures_of_the_model(small_model: Path) -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert {row.split("`")[1] for row in rows} == set(signatures_of(small_model))
