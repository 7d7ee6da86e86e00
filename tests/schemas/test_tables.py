"""The columns of a dataset's tables are a contract: scripts outside this repository read them."""

from __future__ import annotations

import pyarrow as pa

from schemas.tables import LABELS, SPLIT, TRACKS

DOCUMENTED = (
    *("track_id", "group", "record", "logmel_offset", "logmel_length", "waveform_offset", "waveform_length"),
    *("cause", "transient", "message", "seconds", "source_seconds", "sample_rate", "channels", "codec"),
    *("source_checksum", "pcm_sha256", "flags"),
)


def test_the_tracks_table_has_the_documented_columns() -> None:
    assert set(DOCUMENTED) <= set(TRACKS.names)
    assert TRACKS.field("transient").type == pa.bool_()
    assert TRACKS.field("flags").type == pa.list_(pa.string())


def test_labels_and_splits_have_the_documented_columns() -> None:
    assert LABELS.names == ["track_id", "split", "tags", "values"]
    assert LABELS.field("tags").type == pa.list_(pa.int32())
    assert SPLIT.names == ["track_id", "split"]
