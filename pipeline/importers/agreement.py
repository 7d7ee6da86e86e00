"""Combine the statements of several files about the same tracks in one table; a contradiction is an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.tables import ANNOTATIONS

Codes = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Said:
    """The statements of one file.

    Attributes:
        uri: URI of the file.
        table: A column track_id and others; null where the file makes no statement.
    """

    uri: str
    table: pa.Table


def one_row_per_track(parts: Sequence[Said]) -> pa.Table:
    """One row for each track of any file, ordered by track_id, with each column's value from the file that has it.

    Raises:
        UserError: a track_id is empty, or two rows differ in a column.
    """
    joined, source = _joined(parts)
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(joined["track_id"]), ""), True)
    if pc.any(blank).as_py():
        row = pc.index(blank, True).as_py()
        before = int(np.searchsorted(source, source[row]))
        raise UserError(
            f"{parts[int(source[row])].uri}: track {row - before + 1:,}: its id is empty; fill it in or remove the row"
        )
    codes, tracks = ranked_codes(joined["track_id"])
    columns = {"track_id": tracks}
    for name in joined.column_names:
        if name == "track_id":
            continue
        column = joined[name].combine_chunks()
        valid = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        values, _ = ranked_codes(joined[name])
        order, first, winner = _runs(codes, valid)
        differs = np.flatnonzero(values[order] != values[winner])
        if len(differs):
            one, other = int(winner[differs[0]]), int(order[differs[0]])
            raise _contradiction(parts, source, (one, other), f"track {tracks[codes[one]].as_py()!r}: {name}", column)
        place = np.full(len(tracks), -1, np.int64)
        place[codes[order[first]]] = order[first]
        columns[name] = column.take(pa.array(place, mask=place < 0))
    return pa.table(columns)


def one_row_per_label(parts: Sequence[Said]) -> pa.Table:
    """One row for each track and tag of any file, ordered by both, schema ANNOTATIONS.

    Raises:
        UserError: two rows give a label different values.
    """
    joined, source = _joined(parts)
    if joined.num_rows == 0:
        return ANNOTATIONS.empty_table()
    tracks, track_ids = ranked_codes(joined["track_id"])
    tags, names = ranked_codes(joined["tag"])
    value = joined["value"].combine_chunks()
    numbers = pc.fill_null(value, -1.0).to_numpy()  # unknown counts as a distinct value
    key = tracks * len(names) + tags
    order, first, winner = _runs(key, np.arange(len(key)))
    differs = np.flatnonzero(numbers[order] != numbers[winner])
    if len(differs):
        one, other = int(winner[differs[0]]), int(order[differs[0]])
        label = f"track {track_ids[tracks[one]].as_py()!r}, tag {names[tags[one]].as_py()!r}: value"
        raise _contradiction(parts, source, (one, other), label, value)
    kept = order[first]
    return pa.table(
        {
            "track_id": track_ids.take(pa.array(tracks[kept])),
            "tag": names.take(pa.array(tags[kept])),
            "value": value.take(pa.array(kept)),
        },
        schema=ANNOTATIONS,
    )


def ranked_codes(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """The rank of each row's value among the distinct values (null: -1), and the distinct values in order."""
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order) + 1, np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    return rank[pc.fill_null(encoded.indices, -1).to_numpy()], encoded.dictionary.take(pa.array(order))


def _joined(parts: Sequence[Said]) -> tuple[pa.Table, Codes]:
    tables = [part.table for part in parts]
    joined = pa.concat_tables(tables, promote_options="default") if tables else ANNOTATIONS.empty_table()
    return joined, np.repeat(np.arange(len(tables)), [table.num_rows for table in tables])


def _runs(key: Codes, rows: Codes) -> tuple[Codes, npt.NDArray[np.bool_], Codes]:
    """`rows` ordered by key, a mask of those that begin a run of equal keys, and for each row the first one of its run."""
    order = rows[np.argsort(key[rows], kind="stable")]
    first = np.ones(len(order), bool)
    first[1:] = key[order][1:] != key[order][:-1]
    return order, first, order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]


def _contradiction(
    parts: Sequence[Said], source: Codes, rows: tuple[int, int], what: str, column: pa.Array
) -> UserError:
    here, there = (parts[int(source[row])].uri for row in rows)
    one, other = (column[row].as_py() for row in rows)
    files = here if here == there else f"{here} and {there}"
    return UserError(f"{files}: {what}: {one!r} and {other!r} contradict each other; correct or leave out one of them")
