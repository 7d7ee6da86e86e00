"""Read and check the user's annotations (track, tag, value), and combine them in one table."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.tables import ANNOTATIONS
from schemas.user_files.table_files import read_table, row_hint, table_sha256
from schemas.user_files.text_lines import readable

WIDE_SEPARATOR = "|"  # separates the tags in a cell of a wide table
# How pandas, DuckDB and Python print a list, a tuple or a set of tags in a cell; no tag looks like that.
PRINTED_LIST = r"""^\s*(\[(\s*|\s*['"].*|.*, .*)\]|[({]\s*['"].*['"],?\s*[)}])\s*$"""


@dataclasses.dataclass(frozen=True)
class Annotations:
    """Annotations from several files, one row per track and tag.

    Attributes:
        track: Position in `tracks`, int64 [rows].
        tag: Position in `tags`, int64 [rows].
        value: Value in [0, 1], float64 [rows]; NaN means unknown.
        tracks: Track ids, in order of appearance in the files.
        tags: Tags, in order of appearance in the files.
        sha256: SHA-256 of each file, in order of precedence.
        overruled: Number of rows of later files that an earlier file contradicts.
        repeated: Number of rows that repeat an earlier row.
    """

    track: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    tracks: pa.Array
    tags: tuple[str, ...]
    sha256: tuple[str, ...]
    overruled: int
    repeated: int


def read_annotations(uris: str | Sequence[str]) -> Annotations:
    """Read annotation files; where two disagree, the earlier one wins.

    Args:
        uris: One file or several, CSV, JSON Lines or Parquet: long (track_id, tag, optional value) or wide (track_id,
            tags: lists, or text).

    Raises:
        UserError: a file is unreadable or lacks the columns, a value is outside [0, 1], or two rows of one file disagree.
    """
    uris = [uris] if isinstance(uris, str) else uris
    tables = [_one_row_per_tag(_read(uri), uri) for uri in uris]
    rows = np.array([table.num_rows for table in tables])
    joined = pa.concat_tables(tables).unify_dictionaries()
    tracks, tags = (joined[name].combine_chunks() for name in ("track_id", "tag"))
    track, tag = (column.indices.to_numpy().astype(np.int64) for column in (tracks, tags))
    value = joined["value"].to_numpy()
    lines = joined["line"].to_numpy()
    del joined, tables

    # A stable sort keeps files in order of precedence, so the first row of each track and tag counts.
    key = track * max(1, len(tags.dictionary)) + tag
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.ones(len(order), bool)
    first[1:] = key[1:] != key[:-1]
    again = np.flatnonzero(~first)
    winner = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))[again]]
    loser = order[again]
    differs = ~((value[loser] == value[winner]) | (np.isnan(value[loser]) & np.isnan(value[winner])))
    source = np.searchsorted(np.cumsum(rows), np.stack([winner, loser]), side="right")
    if (contradictory := differs & (source[0] == source[1])).any():
        at = int(np.flatnonzero(contradictory)[0])
        one, other = int(winner[at]), int(loser[at])
        uri = uris[int(source[0, at])]
        said = " and ".join(f"{row_hint(int(lines[row]), uri)} says {_spoken(value[row])}" for row in (one, other))
        raise UserError(
            f"annotations {uri}: track {tracks[one].as_py()!r}, tag {tags[one].as_py()!r}: {said}; keep one of them"
        )
    kept = np.sort(order[first])
    return Annotations(
        track=track[kept],
        tag=tag[kept],
        value=value[kept],
        tracks=tracks.dictionary,
        tags=tuple(tags.dictionary.to_pylist()),
        sha256=tuple(table_sha256(uri) for uri in uris),
        overruled=int(np.count_nonzero(differs)),
        repeated=int(np.count_nonzero(~differs)),
    )


def spelling_variants(tags: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Tags that differ only in case, white space or Unicode normalization: lists of two or more, all sorted."""
    alike: dict[str, list[str]] = {}
    for tag in tags:
        alike.setdefault(" ".join(unicodedata.normalize("NFKC", tag).casefold().split()), []).append(tag)
    return tuple(sorted(tuple(sorted(group)) for group in alike.values() if len(group) > 1))


def _spoken(value: float) -> str:
    return "nothing (unknown)" if np.isnan(value) else f"{value:g}"


def _read(uri: str) -> pa.Table:
    schema = pa.schema([*ANNOTATIONS, pa.field("tags", pa.list_(pa.string()))])
    table = read_table(uri, what="annotations", required=("track_id",), schema=schema)
    if "tag" not in table.column_names and "tags" not in table.column_names:
        raise UserError(
            f"annotations {uri}: expected a column tag (one tag a row) or tags (with {WIDE_SEPARATOR} between them), "
            f"found {', '.join(map(readable, table.column_names))}"
        )
    return table


def _one_row_per_tag(table: pa.Table, uri: str) -> pa.Table:
    """Columns track_id and tag (dictionaries), value (null as NaN) and line (row in the file, from 0)."""
    line = np.arange(table.num_rows)
    value = table["value"].to_numpy() if "value" in table.column_names else np.ones(table.num_rows)
    tracks = table["track_id"]
    if "tag" in table.column_names:
        tags = _trimmed(table["tag"])
        if (blank := pc.index(tags.dictionary, "").as_py()) >= 0:
            row = pc.index(tags.indices, pa.scalar(blank, tags.indices.type)).as_py()
            raise UserError(f"annotations {uri}: {row_hint(row, uri)}: tag is empty; fill it in or remove the row")
        printed = pc.match_substring_regex(tags.dictionary, PRINTED_LIST)
        if (place := pc.index(printed, True).as_py()) >= 0:
            row = pc.index(tags.indices, pa.scalar(place, tags.indices.type)).as_py()
            raise UserError(
                f"annotations {uri}: {row_hint(row, uri)}: tag: expected one tag, received a printed list, "
                f"{tags.dictionary[place].as_py()[:60]!r}; write a row for each tag, or name the column tags and join them "
                f"with {WIDE_SEPARATOR}"
            )
    else:
        parts = _tags_of_rows(table["tags"], uri)
        line = parts.value_parent_indices().to_numpy()
        tags = _trimmed(pa.chunked_array([parts.flatten()]))
        blank = pc.index(tags.dictionary, "").as_py()
        filled = pc.fill_null(tags.indices, blank).to_numpy() != blank  # `a||b` and an empty cell name no tag
        tags, line = tags.filter(pa.array(filled)), line[filled]
        tracks, value = tracks.take(line), value[line]
    outside = ~np.isnan(value) & ((value < 0) | (value > 1))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise UserError(
            f"annotations {uri}: {row_hint(int(line[row]), uri)}: value: expected 0 to 1 or nothing (unknown), "
            f"received {float(value[row])!r}"
        )
    tracks = tracks.combine_chunks().dictionary_encode()
    return pa.table({"track_id": tracks, "tag": tags, "value": value.astype(np.float64), "line": line})


def _tags_of_rows(cells: pa.ChunkedArray, uri: str) -> pa.ListArray:
    """The tags of each row of a wide table; null means no tags."""
    if pa.types.is_list(cells.type):
        return cells.combine_chunks()
    printed = pc.match_substring_regex(pc.fill_null(cells, ""), PRINTED_LIST)
    if pc.any(printed).as_py():
        row = pc.index(printed, True).as_py()
        raise UserError(
            f"annotations {uri}: {row_hint(row, uri)}: tags: expected tags with {WIDE_SEPARATOR} between them, received a "
            f"printed list, {cells[row].as_py()[:60]!r}; join the tags, or save the table as Parquet or JSON Lines"
        )
    return pc.split_pattern(pc.fill_null(cells, ""), WIDE_SEPARATOR).combine_chunks()


def _trimmed(tags: pa.ChunkedArray) -> pa.DictionaryArray:
    """Tags as a dictionary, without surrounding white space."""
    encoded = tags.combine_chunks().dictionary_encode()
    names = pc.utf8_trim_whitespace(encoded.dictionary).dictionary_encode()
    return pa.DictionaryArray.from_arrays(names.indices.take(encoded.indices), names.dictionary)
