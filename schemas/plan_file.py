"""The file of a plan, which says what each shard holds.

It is one Parquet file with one row group per shard, so that a worker reads only its shard's rows and a catalog never travels
inside the job graph. The footer's metadata holds a checksum of each shard's rows, and one of itself.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.features import canonical_json
from schemas.storage.checksums import with_checksum
from schemas.storage.files import open_read
from schemas.storage.json_object import parse_json_object
from schemas.storage.store_client import StoreError
from schemas.tables import PLAN

_METADATA_KEY = b"tagscale"
_CHECKSUMS = "rows_sha256"  # metadata key: checksum of each shard's rows, cut to the digits below
_CHECKSUM_DIGITS = 16
_ADVICE = "restore it from a copy"


def plan_bytes(plan: pa.Table, metadata: dict[str, Any], schema: pa.Schema = PLAN) -> bytes:
    """A plan as a Parquet file with one row group per shard; `metadata` goes into the file's footer."""
    sink = pa.BufferOutputStream()
    shards = plan["shard"].to_numpy()
    bounds = [*np.unique(shards, return_index=True)[1].tolist(), len(shards)]
    parts = [plan.slice(first, end - first) for first, end in itertools.pairwise(bounds)]
    described = with_checksum({**metadata, _CHECKSUMS: list(map(_checksum, parts))})
    schema = schema.with_metadata({_METADATA_KEY: canonical_json(described)})
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part.replace_schema_metadata(schema.metadata))
    return bytes(sink.getvalue())


def _checksum(rows: pa.Table) -> str:
    """SHA-256 of the values of a shard's rows, which does not depend on the version of Arrow that reads them."""
    return hashlib.sha256(canonical_json(rows.to_pydict())).hexdigest()[:_CHECKSUM_DIGITS]


class PlanReader:
    """An open plan from which shards are read one at a time.

    Args:
        uri: URI of the plan.

    Attributes:
        metadata: The metadata passed to `plan_bytes`.

    Raises:
        DatasetError: the file is missing, damaged or not a plan.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        try:
            self._file = pq.ParquetFile(open_read(uri))
            self.metadata: dict[str, Any] = parse_json_object(self._file.schema_arrow.metadata[_METADATA_KEY])
            # A plan from an earlier version has no checksums.
            self._checksums: list[str] | None = self.metadata.pop(_CHECKSUMS, None)
            if self._checksums is not None and len(self._checksums) != self.shards:
                raise ValueError(f"it has {self.shards} row groups, and checksums of {len(self._checksums)}")
            rows = sum(self._file.metadata.row_group(number).num_rows for number in range(self.shards))
            if rows != self.tracks:
                raise ValueError(f"it claims {self.tracks} rows, its row groups have {rows}")
        except StoreError:
            raise  # the store is at fault, not the file
        except FileNotFoundError as error:
            raise DatasetError(f"{uri}: the plan is missing; {_ADVICE}") from error
        except Exception as error:  # Arrow raises errors of many types for a damaged file
            raise DatasetError(f"{uri}: expected a plan: {_one_line(error)}; {_ADVICE}") from error

    @property
    def shards(self) -> int:
        return int(self._file.num_row_groups)

    @property
    def tracks(self) -> int:
        return int(self._file.metadata.num_rows)

    @property
    def sizes(self) -> list[int]:
        """Number of tracks of each shard."""
        return [self._file.metadata.row_group(number).num_rows for number in range(self.shards)]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all shards, in the order of shards and records; raises DatasetError."""
        try:
            return self._file.read(list(names))
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{self.uri}: cannot be read: {error}") from error

    def shard(self, number: int) -> pa.Table:
        """The rows of one shard, in the order of its records; raises DatasetError if they are damaged."""
        try:
            rows = self._file.read_row_group(number)
            if self._checksums is None:
                rows.validate(full=True)
            elif _checksum(rows) != self._checksums[number]:
                raise ValueError("its rows do not match its checksum")
        except StoreError:
            raise
        except Exception as error:
            raise DatasetError(
                f"{self.uri}: row group {number} cannot be read: {_one_line(error)}; {_ADVICE}"
            ) from error
        if rows["shard"].unique().to_pylist() != [number]:
            raise DatasetError(f"{self.uri}: expected shard {number} in row group {number}; {_ADVICE}")
        return rows


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
