"""Import MagnaTagATune: annotations_final.csv and clip_info_final.csv, or lists and matrices of its published splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decode.catalog import check_durations
from pipeline.importers.agreement import Said, one_row_per_label, one_row_per_track
from pipeline.importers.label_matrix import matrix_annotations
from pipeline.importers.magnatagatune_files import ListedPaths, MagnaTagATuneFiles, recognize
from pipeline.importers.magnatagatune_split import clips_of_paths, with_sides
from pipeline.importers.outputs import Imported, ImportSummary, Remark, located, remark, write_import
from pipeline.importers.published_files import in_order, only_one, read_npy
from pipeline.importers.tag_lists import TagList, one_order
from schemas.console.errors import UserError, did_you_mean
from schemas.tables import SPLITS
from schemas.user_files.table_values import as_field

# artist-album-NN-title-start-end.mp3; the names themselves contain no dashes.
_PATH = r"^[0-9a-f]/(?P<artist>[^-]+)-.*-(?P<start>\d+)-(?P<end>\d+)\.mp3$"


@dataclasses.dataclass(frozen=True)
class _Labels:
    """The labels of a file, and all clips that it covers."""

    said: Said
    clips: pa.Array


def import_mtat(files: Sequence[str], audio_root: str, out: str) -> ImportSummary:
    """Turn the published files of MagnaTagATune into a catalog, annotations and a label set.

    Clips come from annotations_final.csv or index_mtt.tsv. Groups are the artists in clip_info_final.csv, or else in the paths.
    If annotations_final.csv is given, all labels come from it. For the sides see `with_sides`.

    Args:
        files: Published files in any order; one of them must hold clip ids and paths.
        audio_root: Folder or bucket that holds the folders 0 to f.
        out: Folder for catalog.parquet, annotations.parquet and, if tags are listed, label_set.yaml.

    Raises:
        UserError: a file has none of the published formats, or two files do not match.
    """
    found = recognize(in_order(files))
    only_one([uri for uri, _ in found.annotations], "annotations_final.csv")
    only_one([uri for uri, _ in found.index], "index of clips")
    for side in SPLITS:
        unnumbered = [listed.uri for where, listed in found.lists if where == side and listed.rows is None]
        only_one(unnumbered, f"list of the {side} side's clips")
        labelled = [uri for where, uri in found.matrices if where == side]
        only_one(
            [*(listed.uri for where, listed in found.labels if where == side), *labelled],
            f"file of labels for the {side} side",
        )
    catalog, remarks = _catalog(found)
    order = one_order(found.tag_lists)
    clips = {listed.uri: clips_of_paths(catalog, listed.paths, listed.uri) for _, listed in found.lists}
    sides = [
        *((side, listed.uri, listed.clip_ids) for side, listed in found.labels),
        *((side, listed.uri, clips[listed.uri]) for side, listed in found.lists),
    ]
    catalog, more = with_sides(catalog, sides)
    if found.annotations:
        labels, order = _original_labels(found, order)
    else:
        labels = _listed_labels(found, clips, order)
    covered = pa.concat_arrays([pa.array([], pa.string()), *(one.clips for one in labels)])
    unknown = pc.invert(pc.is_in(catalog["track_id"], value_set=covered))
    remarks += (*more, *remark("clips whose labels are in none of the files, kept without", catalog["path"], unknown))
    catalog = catalog.append_column("uri", located(audio_root, catalog["path"])).drop_columns(["path"])
    tags = None if order is None else order.tags
    return write_import(Imported("mtat", catalog, one_row_per_label([one.said for one in labels]), tags, remarks), out)


def _catalog(found: MagnaTagATuneFiles) -> tuple[pa.Table, tuple[Remark, ...]]:
    """Columns track_id, path, group, duration and all others of clip_info_final.csv, ordered by track_id."""
    info_uri = only_one([uri for uri, _ in found.clip_info], "clip_info_final.csv")
    tables = [
        Said(uri, pa.table({"track_id": table["clip_id"], "path": table["mp3_path"]}))
        for uri, table in (*found.annotations, *found.index)
    ]
    if not tables and info_uri is None:
        raise UserError("import mtat: expected a file that knows clip ids and paths; give annotations_final.csv")
    info = None if info_uri is None else _clip_info(info_uri, found.clip_info[0][1])
    everything = one_row_per_track([*tables, *([] if info is None else [Said(str(info_uri), info)])])
    listed = pa.concat_arrays([one.table["track_id"].combine_chunks() for one in tables]) if tables else None
    is_listed = (
        pc.is_valid(everything["path"]) if listed is None else pc.is_in(everything["track_id"], value_set=listed)
    )
    remarks = remark(
        "clips that only clip_info_final.csv names, left out", everything["track_id"], pc.invert(is_listed)
    )
    catalog = everything.filter(is_listed)
    parts = pc.extract_regex(catalog["path"], _PATH)
    strange = catalog["path"].filter(pc.is_null(parts))
    if len(strange):
        raise UserError(
            f"{', '.join(one.uri for one in tables) or info_uri}: expected paths such as "
            f"f/artist-album-01-title-30-59.mp3, received {strange[0].as_py()!r}; download it again"
        )
    start, end = (pc.struct_field(parts, name).cast(pa.float64()) for name in ("start", "end"))
    artist = pc.struct_field(parts, "artist")
    if info is None:
        catalog = catalog.append_column("group", artist).append_column("duration", pc.subtract(end, start))
        return catalog, (
            *remarks,
            Remark("groups taken from the artist in the path", pc.count_distinct(artist).as_py(), _first(artist)),
        )
    nameless = pc.is_null(catalog["group"])
    remarks += remark(
        "clips whose artist is taken from the path, as clip_info_final.csv lacks them", catalog["path"], nameless
    )
    catalog = catalog.set_column(catalog.column_names.index("group"), "group", pc.coalesce(catalog["group"], artist))
    place = catalog.column_names.index("duration")
    return catalog.set_column(place, "duration", pc.coalesce(catalog["duration"], pc.subtract(end, start))), remarks


def _clip_info(uri: str, table: pa.Table) -> pa.Table:
    """clip_info_final.csv as track_id, path, group, duration and its further columns."""

    def error_at(row: int, problem: str) -> UserError:
        return UserError(f"{uri}: row {row + 1}: {problem}; download it again")

    start, end = (
        as_field(table[name], pa.field(name, pa.float64()), error_at) for name in ("segmentStart", "segmentEnd")
    )
    seconds = pc.subtract(end, start)
    check_durations(seconds, "segmentStart to segmentEnd", error_at)
    names = {"clip_id": "track_id", "mp3_path": "path", "artist": "group"}
    renamed = table.rename_columns([names.get(name, name) for name in table.column_names])
    return renamed.append_column("duration", seconds)


def _original_labels(found: MagnaTagATuneFiles, order: TagList | None) -> tuple[list[_Labels], TagList]:
    """The labels of annotations_final.csv, and the tag order: the listed one if given, else that of its columns."""
    uri, table = found.annotations[0]
    tags = TagList(uri, tuple(name for name in table.column_names if name not in ("clip_id", "mp3_path")))
    if order is not None:
        for tag in order.tags:
            if tag not in tags.tags:
                raise UserError(f"{order.uri}: the tag {tag!r} is no column of {uri}{did_you_mean(tag, tags.tags)}")
    missing = [tag for tag in tags.tags if table[tag].null_count]
    if missing:
        raise UserError(f"{uri}: column {missing[0]!r}: expected 0 or 1 in every row, found an empty field")
    matrix = np.stack([table[tag].to_numpy() for tag in tags.tags], axis=1)
    clips = table["clip_id"].combine_chunks()
    return [_labels(uri, matrix, clips, uri, tags)], tags if order is None else order


def _listed_labels(found: MagnaTagATuneFiles, clips: dict[str, pa.Array], order: TagList | None) -> list[_Labels]:
    """The labels that accompany the lists of the sides."""
    said = []
    for _, listed in found.labels:
        said.append(_labels(listed.uri, listed.matrix, listed.clip_ids, listed.uri, order))
    whole = only_one([uri for side, uri in found.matrices if side is None], "matrix without a side in its name")
    for side, uri in found.matrices:
        lists = [listed for where, listed in found.lists if where == side and listed.rows is None]
        if side is not None:
            if not lists:
                raise UserError(f"{uri}: expected the list of the {side} side's clips beside it; give that too")
            said.append(_labels(uri, read_npy(uri), clips[lists[0].uri], lists[0].uri, order))
    if whole is not None:
        numbered = [listed for _, listed in found.lists if listed.rows is not None]
        if not numbered:
            raise UserError(
                f"{whole}: expected the numbered lists of clips beside it, such as train.npy; give them too"
            )
        said += [_rows_of_all(whole, listed, clips[listed.uri], order) for listed in numbered]
    return said


def _rows_of_all(uri: str, listed: ListedPaths, clips: pa.Array, order: TagList | None) -> _Labels:
    """The labels of a numbered list's rows in the matrix of all clips."""
    matrix = read_npy(uri)
    rows = np.asarray(listed.rows)
    if rows.max() >= len(matrix):
        raise UserError(
            f"{listed.uri} and {uri}: expected row numbers below {len(matrix):,}, received {rows.max():,}; give the two "
            "that were published together"
        )
    return _labels(uri, matrix[rows], clips, listed.uri, order)


def _labels(uri: str, matrix: npt.NDArray[Any], clips: pa.Array, clips_uri: str, order: TagList | None) -> _Labels:
    if order is None:
        raise UserError(
            f"{uri}: expected a list of its tags beside it; give output_labels_mtt.txt or top50_tags.txt too"
        )
    return _Labels(Said(uri, matrix_annotations(matrix, uri, clips, clips_uri, order)), clips)


def _first(texts: pa.ChunkedArray) -> str:
    return str(texts[0].as_py())
