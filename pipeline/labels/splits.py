"""Splits: which track is for training, validation or test; tables of their own over the same features."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.plan import hash_position
from schemas.dataset import Dataset
from schemas.errors import UserError
from schemas.features import FINGERPRINT_LENGTH, canonical_json
from schemas.storage import exists, list_names, open_read, read_bytes, write_atomic, write_if_absent
from schemas.tables import SPLIT, SPLITS

DEFAULT_SPLIT = "default"
DEFAULT_RATIOS = (80.0, 10.0, 10.0)  # train, validation, test

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclasses.dataclass(frozen=True)
class SplitMethod:
    """How a split is made; the same method extends it when the dataset grows.

    Attributes:
        ratios: shares of train, validation and test; None to take the catalog's split column.
        salt: changes which groups fall where; without one the cut follows the shards, so that training reads
            little that it does not need.
    """

    ratios: tuple[float, float, float] | None = DEFAULT_RATIOS
    salt: str = ""

    def __post_init__(self) -> None:
        if self.ratios is not None and (len(self.ratios) != 3 or min(self.ratios) < 0 or sum(self.ratios) <= 0):
            raise UserError(f"--ratios: expected three shares such as 80,10,10, received {self.ratios}")

    def to_dict(self) -> dict[str, Any]:
        if self.ratios is None:
            return {"method": "catalog"}
        return {"method": "hash", "ratios": list(self.ratios), "salt": self.salt}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> SplitMethod:
        if fields["method"] == "catalog":
            return cls(ratios=None)
        train, validation, test = fields["ratios"]
        return cls(ratios=(train, validation, test), salt=fields["salt"])


@dataclasses.dataclass(frozen=True)
class Split:
    """A version of a split.

    Attributes:
        name: of the split.
        version: hash over the assignments.
        table: schema SPLIT, ordered by track_id.
        counts: tracks per split, and `none` for tracks without one.
    """

    name: str
    version: str
    table: pa.Table
    counts: dict[str, int]


def parse_ratios(text: str) -> tuple[float, float, float]:
    """`80,10,10` as shares; raises UserError."""
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--ratios: expected three numbers such as 80,10,10, received {text!r}") from error
    return train, validation, test


def make_split(dataset: Dataset, name: str, method: SplitMethod | None) -> Split:
    """Make a split, or extend one to the tracks that came since; tracks keep the side they have.

    Args:
        dataset: the dataset.
        name: of the split.
        method: how; None for the way the split was made before, or for a new one the catalog's split column where it
            says anything and 80,10,10 by hash elsewhere.

    Raises:
        UserError: the name is not folder-safe, or the split was made in another way before.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"split name: expected letters, digits, '.', '_' and '-', received {name!r}")
    tracks = dataset.newest_tracks()
    tracks = tracks.filter(pc.is_valid(tracks["record"]))
    log = _log(dataset, name)
    if log:
        before = SplitMethod.from_dict(log[-1]["made"])
        if method is not None and method != before:
            raise UserError(
                f"split {name}: was made as {json.dumps(before.to_dict())}; tracks never change sides in it: choose "
                "another name"
            )
        method = before
    elif method is None:
        method = SplitMethod(ratios=None) if tracks["split"].null_count < tracks.num_rows else SplitMethod()
    table = _assign(tracks, method, name)
    version = _version(table)
    uri = dataset.layout.split(name, version)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_if_absent(uri, bytes(sink.getvalue()))
    if not log or log[-1]["version"] != version:
        log.append({"version": version, "made": method.to_dict(), "tracks": table.num_rows})
        write_atomic(dataset.layout.split_log(name), b"".join(canonical_json(line) + b"\n" for line in log))
    counts = {side: pc.sum(pc.equal(table["split"], side)).as_py() or 0 for side in SPLITS}
    return Split(name, version, table, {**counts, "none": tracks.num_rows - table.num_rows})


def existing_split(dataset: Dataset, name: str) -> Split:
    """A split made before, extended to the tracks that came since; raises UserError where there is none."""
    if not exists(dataset.layout.split_log(name)):
        found = list_names(dataset.layout.splits("").rstrip("/"))
        raise UserError(
            f"split {name!r}: not in {dataset.layout.root} ({'there are ' + ', '.join(found) if found else 'there is none'});"
            f" make it with `pipeline.run split --dataset {dataset.layout.root} --name {name}`"
        )
    return make_split(dataset, name, None)


def read_split(dataset: Dataset, name: str, version: str) -> pa.Table:
    """A version's table, schema SPLIT."""
    with open_read(dataset.layout.split(name, version)) as file:
        return pq.read_table(file, schema=SPLIT)


def _log(dataset: Dataset, name: str) -> list[dict[str, Any]]:
    uri = dataset.layout.split_log(name)
    return [json.loads(line) for line in read_bytes(uri).splitlines()] if exists(uri) else []


def _assign(tracks: pa.Table, method: SplitMethod, name: str) -> pa.Table:
    if method.ratios is None:
        if tracks["split"].null_count == tracks.num_rows:
            raise UserError(f"split {name}: the catalog has no split column, or an empty one; use --ratios")
        table = tracks.select(["track_id", "split"]).filter(pc.is_valid(tracks["split"]))
    else:
        cuts = np.cumsum(method.ratios)[:2] / sum(method.ratios)
        groups = tracks["group"].combine_chunks().dictionary_encode()
        positions = np.array([hash_position(method.salt + group) for group in groups.dictionary.to_pylist()])
        sides = np.searchsorted(cuts, positions, side="right")[groups.indices.to_numpy()] if len(positions) else []
        table = pa.table({"track_id": tracks["track_id"], "split": pa.array(SPLITS).take(pa.array(sides, pa.int64()))})
    return table.sort_by("track_id").cast(SPLIT)


def _version(table: pa.Table) -> str:
    digest = hashlib.sha256()
    for track, side in zip(table["track_id"].to_pylist(), table["split"].to_pylist(), strict=True):
        digest.update(canonical_json([track, side]))
    return digest.hexdigest()[:FINGERPRINT_LENGTH]
