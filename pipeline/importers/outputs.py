"""Write the outputs of every import: catalog.parquet, annotations.parquet, label_set.yaml, and a summary of counts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from pipeline.importers.agreement import ranked_codes
from schemas.console.errors import UserError
from schemas.storage.files import exists, is_folder, is_remote, join, local_path, write_atomic
from schemas.tables import CATALOG, SPLITS

CATALOG_FILE = "catalog.parquet"
ANNOTATIONS_FILE = "annotations.parquet"
LABEL_SET_FILE = "label_set.yaml"


@dataclasses.dataclass(frozen=True)
class Remark:
    """A remark about something left out, or missing from the files.

    Attributes:
        what: Description.
        count: Number of cases.
        example: The first case.
    """

    what: str
    count: int
    example: str


@dataclasses.dataclass(frozen=True)
class Imported:
    """The content of published files before it is written.

    Attributes:
        source: Short name of the data set.
        catalog: track_id, uri and the other known columns of schema CATALOG; further columns are kept. Ordered by
            track_id.
        annotations: Schema ANNOTATIONS, ordered by track and tag; tracks missing from the catalog will be left out.
        tag_order: Published vocabulary, if there is one.
        remarks: What the importer left out.
    """

    source: str
    catalog: pa.Table
    annotations: pa.Table
    tag_order: tuple[str, ...] | None
    remarks: tuple[Remark, ...]


@dataclasses.dataclass(frozen=True)
class ImportSummary:
    """Results of an import.

    Attributes:
        out: Folder of the files.
        tracks: Number of rows in the catalog.
        annotations: Number of rows in the annotations.
        tags: Number of distinct tags in them.
        groups: Number of distinct groups (artists) in the catalog.
        splits: Number of tracks per side, and `none` for tracks without a side.
        label_set: Name and number of tags of the label set; None if no tag order is published.
        remarks: What was left out, and why.
    """

    out: str
    tracks: int
    annotations: int
    tags: int
    groups: int
    splits: dict[str, int]
    label_set: tuple[str, int] | None
    remarks: tuple[Remark, ...]


def located(audio_root: str, paths: pa.ChunkedArray) -> pa.ChunkedArray:
    """Published paths below the audio's root; paths that are already absolute or have a scheme are kept."""
    root = audio_root if is_remote(audio_root) else os.path.abspath(local_path(audio_root))
    complete = pc.or_(pc.starts_with(paths, "/"), pc.match_substring(paths, "://"))
    below = pc.binary_join_element_wise(pa.scalar(root.rstrip("/")), paths, "/")
    return pc.if_else(complete, paths, below)


def remark(what: str, of: pa.ChunkedArray, where: pa.ChunkedArray) -> tuple[Remark, ...]:
    """A remark on the rows where `where` is true, with an example from `of`; empty if there is no such row."""
    found = of.filter(where)
    return (Remark(what, len(found), found[0].as_py()),) if len(found) else ()


def write_import(imported: Imported, out: str) -> ImportSummary:
    """Write an import's files into a folder.

    Raises:
        UserError: there is no track, none of the published tags is in an annotation, or `out` is a file.
    """
    require_folder(out)
    if imported.catalog.num_rows == 0:
        raise UserError(
            f"import {imported.source}: expected at least one track, found none; give the files that list them"
        )
    catalog = _catalog(imported.catalog)
    held = pc.is_in(imported.annotations["track_id"], value_set=catalog["track_id"].combine_chunks())
    annotations = imported.annotations.filter(held)
    used = pc.unique(annotations["tag"])
    remarks = (
        *imported.remarks,
        *remark(
            "annotations of tracks that no file gives a path for, left out",
            imported.annotations["track_id"],
            pc.invert(held),
        ),
        *remark(
            "tracks without any annotation, kept",
            catalog["track_id"],
            pc.invert(pc.is_in(catalog["track_id"], value_set=pc.unique(annotations["track_id"]))),
        ),
        *_straddling(catalog),
    )
    label_set = None
    if imported.tag_order is not None:
        order = pa.chunked_array([pa.array(imported.tag_order, pa.string())])
        known = pc.is_in(order, value_set=used)
        remarks += remark("published tags that no track has, left out of the label set", order, pc.invert(known))
        tags = order.filter(known).to_pylist()
        if not tags:
            raise UserError(
                f"import {imported.source}: none of the tags of the published list is in an annotation; give the files that it "
                "belongs to"
            )
        label_set = write_label_set(imported.source, tags, out)
    elif exists(join(out, LABEL_SET_FILE)):
        remarks += (Remark("files of an earlier import that were left as they are", 1, join(out, LABEL_SET_FILE)),)
    _write_table(annotations, join(out, ANNOTATIONS_FILE))
    _write_table(catalog, join(out, CATALOG_FILE))
    splits = {side: pc.sum(pc.equal(catalog["split"], side)).as_py() or 0 for side in SPLITS}
    return ImportSummary(
        out=out,
        tracks=catalog.num_rows,
        annotations=annotations.num_rows,
        tags=len(used),
        groups=pc.count_distinct(catalog["group"]).as_py(),
        splits={**splits, "none": catalog["split"].null_count},
        label_set=label_set,
        remarks=remarks,
    )


def _catalog(table: pa.Table) -> pa.Table:
    """The columns of schema CATALOG followed by further ones in order of name."""
    for field in CATALOG:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    further = sorted(set(table.column_names) - set(CATALOG.names))
    return table.select([*CATALOG.names, *further]).cast(
        pa.schema([*CATALOG, *(table.schema.field(n) for n in further)])
    )


def _straddling(catalog: pa.Table) -> tuple[Remark, ...]:
    """A remark on groups that lie on several sides of the published split."""
    sided = catalog.filter(pc.and_(pc.is_valid(catalog["split"]), pc.is_valid(catalog["group"])))
    groups, names = ranked_codes(sided["group"])
    sides, kinds = ranked_codes(sided["split"])
    pairs = np.unique(groups * max(1, len(kinds)) + sides) // max(1, len(kinds))
    apart = np.bincount(pairs, minlength=len(names)) > 1
    return remark(
        "groups on several sides of the published split, kept there",
        pa.chunked_array([names]),
        pa.chunked_array([apart]),
    )


def require_folder(out: str) -> None:
    """Raise UserError if the place for the files is itself a file."""
    if not is_remote(out) and exists(out) and not is_folder(out):
        raise UserError(f"--out {out}: expected a folder, found a file")


def write_label_set(source: str, tags: Sequence[str], out: str, **fields: str) -> tuple[str, int]:
    """Write label_set.yaml with tags in their order and further fields; returns its name and the number of tags."""
    name = f"{source}-{len(tags)}"
    content = {"name": name, "tags": list(tags), **fields}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1 << 16)
    write_atomic(join(out, LABEL_SET_FILE), text.encode())
    return name, len(tags)


def _write_table(table: pa.Table, uri: str) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks(), sink, compression="zstd")
    write_atomic(uri, bytes(sink.getvalue()))
