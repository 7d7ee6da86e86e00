"""The scores of an evaluated split as a Parquet file, one row per track, with a description of what was scored.

Columns: `track_id` string; `targets` list<float32>, null where unknown; `scores` list<float32>; both lists in the order
of the evaluated tags. The schema's metadata holds, each in JSON, `tags`, `label_set`, `split`, `positive_at`, and
`checkpoint`, the SHA-256 of the variables that produced the scores.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.storage.files import publish, read_bytes, spool
from schemas.storage.stored_tables import check_bytes, fill_in_checksum, make_room_for_checksum

SCORES = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("targets", pa.list_(pa.field("element", pa.float32())), nullable=False),
        pa.field("scores", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
    ]
)
_NUMBERS_PER_GROUP = 1 << 22  # 16 MiB of targets, and as much of scores, in a row group


@dataclasses.dataclass(frozen=True)
class ScoresOf:
    """Identifies what was scored: two files that agree in this hold the same scores of the same tracks.

    Attributes:
        tags: the evaluated tags, in order.
        label_set: NAME@HASH of the labels that the targets come from.
        split: train, validation or test.
        positive_at: lowest target that counts as positive.
        checkpoint: SHA-256 of the variables that produced the scores, hex.
    """

    tags: tuple[str, ...]
    label_set: str
    split: str
    positive_at: float
    checkpoint: str


@dataclasses.dataclass(frozen=True)
class StoredScores:
    """Scores of some tracks.

    Attributes:
        of: what was scored.
        track_ids: [tracks].
        targets: float32 [tracks, tags] in [0, 1]; NaN is unknown.
        scores: float32 [tracks, tags].
    """

    of: ScoresOf
    track_ids: tuple[str, ...]
    targets: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]

    def positive(self, tag: int) -> npt.NDArray[np.bool_]:
        """Which tracks have a tag, bool [tracks]."""
        return self.targets[:, tag] >= np.float32(self.of.positive_at)  # NaN compares false

    def negative(self, tag: int) -> npt.NDArray[np.bool_]:
        """Which tracks are known not to have it, bool [tracks]."""
        return self.targets[:, tag] < np.float32(self.of.positive_at)

    def write(self, uri: str) -> None:
        """Write the file, whole or not at all; the same scores give the same bytes."""
        metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in dataclasses.asdict(self.of).items()}
        schema = SCORES.with_metadata(metadata)
        rows = max(1, _NUMBERS_PER_GROUP // max(1, len(self.of.tags)))
        with spool(uri) as path:
            with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
                for first in range(0, len(self.track_ids), rows):
                    part = slice(first, first + rows)
                    columns = [
                        pa.array(self.track_ids[part], pa.string()),
                        _lists(self.targets[part], SCORES.field("targets").type),
                        _lists(self.scores[part], SCORES.field("scores").type),
                    ]
                    writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                make_room_for_checksum(writer)
            fill_in_checksum(path)
            publish(path, uri)


def read_stored_scores(uri: str) -> StoredScores:
    """Read a file that `StoredScores.write` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is not a file of scores, or its lists do not fit its tags.
    """
    data = read_bytes(uri)
    try:
        check_bytes(data)
        table = pq.read_table(pa.BufferReader(data))
        metadata = table.schema.metadata or {}
        fields = {field.name: json.loads(metadata[field.name.encode()]) for field in dataclasses.fields(ScoresOf)}
        if not table.schema.equals(SCORES):
            raise ValueError(f"its columns are {', '.join(table.column_names)}")
        of = ScoresOf(**{**fields, "tags": tuple(fields["tags"])})
        shape = (table.num_rows, len(of.tags))
        return StoredScores(
            of,
            tuple(table["track_id"].to_pylist()),
            _matrix(table["targets"], shape),
            _matrix(table["scores"], shape),
        )
    except Exception as error:  # Arrow raises errors of many types for a damaged file
        words = " ".join(str(error).split())
        raise DatasetError(f"{uri}: expected the scores of an evaluation; evaluate the run again ({words})") from error


def _lists(values: npt.NDArray[np.float32], kind: pa.DataType) -> pa.Array:
    numbers = np.ascontiguousarray(values).reshape(-1)
    unknown = np.isnan(numbers)
    flat = pa.array(numbers, pa.float32(), mask=unknown if unknown.any() else None)
    offsets = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=kind)


def _matrix(column: pa.ChunkedArray, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    matrix = np.empty(shape, np.float32)
    first = 0
    for chunk in column.chunks:
        if not np.array_equal(np.diff(chunk.offsets.to_numpy()), np.full(len(chunk), shape[1])):
            raise ValueError(f"expected lists of {shape[1]} numbers")
        # Nulls become NaN.
        matrix[first : first + len(chunk)] = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, shape[1])
        first += len(chunk)
    return matrix
