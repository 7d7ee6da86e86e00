"""Annotations as the user brings them: track, tag, value; checked and brought into one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import UserError
from schemas.storage import sha256_of
from schemas.table_files import read_table, row_hint
from schemas.tables import ANNOTATIONS

WIDE_SEPARATOR = "|"  # between the tags of one cell of a wide table


@dataclasses.dataclass(frozen=True)
class Annotations:
    """Annotations of several files, one row per track and tag.

    Attributes:
        track: dictionary code of each row's track, int64 [rows].
        tag: dictionary code of each row's tag, int64 [rows].
        value: float64 [rows] in [0, 1]; NaN means unknown.
        tracks: the track ids that the codes stand for.
        tags: the tags that the codes stand for.
        sha256: of each file, in order of precedence.
        overruled: rows of later files that an earlier file contradicts.
    """

    track: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    tracks: tuple[str, ...]
    tags: tuple[str, ...]
    sha256: tuple[str, ...]
    overruled: int


def read_annotations(uris: Sequence[str]) -> Annotations:
    """Read annotation files, the first one winning where two disagree.

    Args:
        uris: CSV, JSON Lines or Parquet, long (track_id, tag, optional value) or wide (track_id, tags).

    Raises:
        UserError: unreadable, without the columns, a value outside [0, 1], or two rows of one file that disagree.
    """
    tables = [_one_row_per_tag(_read(uri), uri) for uri in uris]
    joined = pa.concat_tables(tables)
    tracks = joined["track_id"].combine_chunks().dictionary_encode()
    tags = joined["tag"].combine_chunks().dictionary_encode()
    track_codes = tracks.indices.to_numpy().astype(np.int64)
    tag_codes = tags.indices.to_numpy().astype(np.int64)
    value = joined["value"].to_numpy()
    source = np.repeat(np.arange(len(tables)), [table.num_rows for table in tables])
    line = np.concatenate([table["line"].to_numpy() for table in tables])

    # Sort by track and tag, files in order of precedence: the first row of each run is the one that counts.
    key = track_codes * max(1, len(tags.dictionary)) + tag_codes
    order = np.lexsort((line, source, key))
    first = np.ones(len(order), bool)
    first[1:] = key[order][1:] != key[order][:-1]
    winner = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    differs = ~((value[order] == value[winner]) | (np.isnan(value[order]) & np.isnan(value[winner])))
    within_file = differs & (source[order] == source[winner])
    if within_file.any():
        at = int(np.flatnonzero(within_file)[0])
        _refuse_contradiction(joined, uris, winner[at], order[at], source, line)
    kept = np.sort(order[first])
    return Annotations(
        track=track_codes[kept],
        tag=tag_codes[kept],
        value=value[kept],
        tracks=tuple(tracks.dictionary.to_pylist()),
        tags=tuple(tags.dictionary.to_pylist()),
        sha256=tuple(sha256_of(uri) for uri in uris),
        overruled=int(np.count_nonzero(differs)),
    )


def _read(uri: str) -> pa.Table:
    schema = pa.schema([*ANNOTATIONS, pa.field("tags", pa.string())])
    table = read_table(uri, what="annotations", required=("track_id",), schema=schema)
    if "tag" not in table.column_names and "tags" not in table.column_names:
        raise UserError(
            f"annotations {uri}: expected a column tag (one tag a row) or tags (with {WIDE_SEPARATOR} between them), "
            f"found {', '.join(table.column_names)}"
        )
    return table


def _one_row_per_tag(table: pa.Table, uri: str) -> pa.Table:
    """Columns track_id, tag, value (null as NaN) and line (row in the file, from 0)."""
    line = np.arange(table.num_rows)
    if "tag" in table.column_names:
        tags = pc.utf8_trim_whitespace(table["tag"])
    else:
        parts = pc.split_pattern(pc.fill_null(table["tags"], ""), WIDE_SEPARATOR).combine_chunks()
        line = parts.value_parent_indices().to_numpy()
        table = table.take(line)
        tags = pa.chunked_array([pc.utf8_trim_whitespace(parts.flatten())])
        filled = pc.not_equal(tags, "")  # `a||b` and an empty cell name no tag
        table, tags, line = table.filter(filled), tags.filter(filled), line[filled.to_numpy()]
    blank = pc.equal(tags, "")
    if pc.any(blank).as_py():
        row = pc.index(blank, True).as_py()
        raise UserError(f"annotations {uri}: {row_hint(row, uri)}: tag is empty; fill it in or remove the row")
    value = table["value"].to_numpy() if "value" in table.column_names else np.ones(table.num_rows)
    outside = ~np.isnan(value) & ((value < 0) | (value > 1))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise UserError(
            f"annotations {uri}: {row_hint(int(line[row]), uri)}: value: expected 0 to 1 or nothing (unknown), "
            f"received {value[row]:g}"
        )
    return pa.table({"track_id": table["track_id"], "tag": tags, "value": value.astype(np.float64), "line": line})


def _refuse_contradiction(
    joined: pa.Table,
    uris: Sequence[str],
    one: int,
    other: int,
    source: npt.NDArray[np.int64],
    line: npt.NDArray[np.int64],
) -> None:
    uri = uris[int(source[one])]
    rows = [f"{row_hint(int(line[row]), uri)} says {joined['value'][int(row)].as_py():g}" for row in (one, other)]
    raise UserError(
        f"annotations {uri}: track {joined['track_id'][int(one)].as_py()!r}, tag {joined['tag'][int(one)].as_py()!r}: "
        f"{' and '.join(rows)}; keep one of them"
    )
