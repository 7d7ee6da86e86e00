"""Import any tables: the user maps their columns, and several tables are joined on the track id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.importers.agreement import Said, one_row_per_label, one_row_per_track
from pipeline.importers.outputs import Imported, ImportSummary, Remark, located, remark, write_import
from pipeline.importers.published_files import in_order
from pipeline.importers.table_columns import MappedTable, read_mapped
from pipeline.labels.annotations import WIDE_SEPARATOR
from schemas.console.errors import UserError
from schemas.tables import ANNOTATIONS, CATALOG


def import_table(
    files: Sequence[str], audio_root: str, out: str, columns: Mapping[str, str], separator: str = WIDE_SEPARATOR
) -> ImportSummary:
    """Turn tables with a column mapping into a catalog and annotations.

    Tables are joined on the track id: they must agree on a track, and it gets the tags of all of them. Unmapped columns are
    kept if their table has one row per track and no other table has a column of that name.

    Args:
        files: CSV, TSV, JSON Lines or Parquet files in any order.
        audio_root: Folder or bucket to which relative uris refer.
        out: Folder for catalog.parquet and annotations.parquet.
        columns: Target -> column, see `parse_columns`; targets are track_id, uri, group, split, duration (seconds), tags
            (several in a cell, or a list), tag (one), and value (of the row's tags, 0 to 1; 1 if no column has it).
        separator: Separator of the tags in a cell.

    Raises:
        UserError: a table or column is missing or wrong, or two rows contradict each other.
    """
    if not separator:
        raise UserError("--separator: expected the text between two tags, received nothing")
    tables = read_mapped(in_order(files), columns)
    known = [name for name in CATALOG.names if name in columns]
    said = [
        Said(one.uri, one.table.select([name for name in known if name in one.table.column_names])) for one in tables
    ]
    catalog = one_row_per_track(said)
    pathless = pc.is_null(catalog["uri"])
    remarks = remark(f"tracks without {columns['uri']} (uri), left out", catalog["track_id"], pathless)
    catalog = catalog.filter(pc.invert(pathless))
    place = catalog.column_names.index("uri")
    catalog = catalog.set_column(place, "uri", located(audio_root, catalog["uri"]))
    catalog, more = _with_further(catalog, tables)
    labels = one_row_per_label([Said(one.uri, _labels(one.table, separator)) for one in tables])
    return write_import(Imported("table", catalog, labels, None, (*remarks, *more)), out)


def _with_further(catalog: pa.Table, tables: Sequence[MappedTable]) -> tuple[pa.Table, tuple[Remark, ...]]:
    """The catalog with the unmapped columns, and remarks on those that are left out."""
    names = [name for one in tables for name in one.further.column_names]
    remarks: dict[str, list[str]] = {}
    for one in tables:
        ids = one.table["track_id"].combine_chunks()
        place = pc.index_in(catalog["track_id"], value_set=ids)
        for name in one.further.column_names:
            if name in CATALOG.names:
                remarks.setdefault("columns with a name that only a mapped one may have, left out", []).append(name)
            elif names.count(name) > 1:
                remarks.setdefault("columns that several tables have, left out", []).append(name)
            elif pc.count_distinct(ids).as_py() < len(ids):
                remarks.setdefault("columns of tables with several rows a track, left out", []).append(name)
            else:
                catalog = catalog.append_column(name, one.further[name].take(place))
    counted = {what: sorted(set(found)) for what, found in remarks.items()}
    return catalog, tuple(Remark(what, len(counted[what]), counted[what][0]) for what in sorted(counted))


def _labels(table: pa.Table, separator: str) -> pa.Table:
    """The rows' tags, schema ANNOTATIONS; rows without a tag are skipped."""
    value = (
        table["value"] if "value" in table.column_names else pa.chunked_array([pa.nulls(table.num_rows, pa.float64())])
    )
    if "value" not in table.column_names:
        value = pc.fill_null(value, 1.0)
    parts = [ANNOTATIONS.empty_table()]
    if "tag" in table.column_names:
        parts.append(_rows(table["track_id"], table["tag"], value))
    if "tags" in table.column_names:
        tags = table["tags"]
        if not pa.types.is_list(tags.type):
            tags = pc.split_pattern(tags, separator)
        row = pc.list_parent_indices(tags)
        parts.append(_rows(table["track_id"].take(row), pc.list_flatten(tags), value.take(row)))
    return pa.concat_tables(parts)


def _rows(track_ids: pa.ChunkedArray, tags: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Table:
    tags = pc.utf8_trim_whitespace(tags)
    rows = pa.table({"track_id": track_ids, "tag": tags, "value": values}, schema=ANNOTATIONS)
    return rows.filter(pc.fill_null(pc.not_equal(tags, ""), False))
