"""Arrow schemas of the user's tables and of those in a dataset."""

from __future__ import annotations

import pyarrow as pa

SPLITS = ("train", "validation", "test")

# --- tables of the user ---------------------------------------------------------------------------------------------
CATALOG = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("group", pa.string()),
        pa.field("split", pa.string()),
        pa.field("duration", pa.float64()),
    ]
)
CATALOG_REQUIRED = ("track_id", "uri")

ANNOTATIONS = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("tag", pa.string(), nullable=False),
        pa.field("value", pa.float64()),  # null: unknown
    ]
)

# The user's list of tracks, for `remove`.
TRACK_IDS = pa.schema([pa.field("track_id", pa.string(), nullable=False)])

# --- tables of a dataset --------------------------------------------------------------------------------------------
# plan/gen-000.parquet: one row group per shard, rows in the order of the shard's records.
PLAN = pa.schema(
    [
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),  # as in the catalog: a relative uri stays relative
        pa.field("group", pa.string(), nullable=False),  # the track's own id if the catalog names no group
        pa.field("split", pa.string()),
    ]
)

# tracks/gen-000/part-00017.parquet and, compacted, tracks/gen-000.parquet: one row per planned track.
TRACKS = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("split", pa.string()),  # from the catalog, if it names one
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("record", pa.int32()),  # number in the shard; null if rejected
        pa.field("logmel_offset", pa.int64()),  # bytes into the payload
        pa.field("logmel_length", pa.int64()),  # bytes of the whole TFRecord record
        pa.field("waveform_offset", pa.int64()),
        pa.field("waveform_length", pa.int64()),
        pa.field("cause", pa.string()),  # why it was rejected; null if kept
        pa.field("transient", pa.bool_(), nullable=False),  # true for a reject that may succeed on a retry
        pa.field("message", pa.string()),  # the decoder's message, with the uri of a file that cannot be read
        pa.field("seconds", pa.float64()),  # length of the stored waveform
        # Length of the whole source; its header's claim if only an excerpt was decoded.
        pa.field("source_seconds", pa.float64()),
        pa.field("sample_rate", pa.int32()),  # sample rate of the source in Hz
        pa.field("channels", pa.int32()),  # channels of the source
        pa.field("codec", pa.string()),
        pa.field("source_checksum", pa.string()),
        pa.field("pcm_sha256", pa.string()),  # hash of the stored waveform's bytes
        pa.field("flags", pa.list_(pa.string()), nullable=False),
    ]
)

# removed.parquet, ordered by track_id: tombstones. Readers skip these tracks.
REMOVED = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("purged", pa.bool_(), nullable=False),  # true if its records are blank
    ]
)

# splits/<name>/<hash>.parquet, ordered by track_id
SPLIT = pa.schema([pa.field("track_id", pa.string(), nullable=False), pa.field("split", pa.string(), nullable=False)])

# labels/<name>/<hash>/labels.parquet, ordered by track_id. `tags` holds indices into vocabulary.txt. A tag that is not
# listed is negative; a listed one has the value at its position in `values` (null: unknown).
LABELS = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("tags", pa.list_(pa.int32()), nullable=False),
        pa.field("values", pa.list_(pa.float32()), nullable=False),
    ]
)
