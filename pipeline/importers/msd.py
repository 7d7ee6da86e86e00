"""Import the Million Song Dataset with Last.fm tags: id lists with .npy matrices, tag lists, and unique_tracks.txt."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.importers.agreement import Said, one_row_per_label, one_row_per_track
from pipeline.importers.label_matrix import is_label_matrix, matrix_annotations
from pipeline.importers.outputs import Imported, ImportSummary, Remark, located, remark, write_import
from pipeline.importers.path_pattern import DEFAULT_PATTERN, paths_of
from pipeline.importers.published_files import (
    in_order,
    is_npy,
    only_one,
    read_lines,
    read_npy,
    required_side,
    unrecognized,
)
from pipeline.importers.tag_lists import TagList, is_python_source, line_tag_list, one_order, python_tag_list
from schemas.console.errors import UserError
from schemas.tables import SPLITS

_TRACK_ID = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}")
_SEPARATOR = "<SEP>"  # separates the fields of unique_tracks.txt: track, song, artist, title
_KNOWN = (
    "id lists of a track id a line, such as train_x_msd_id.txt",
    "matrices of labels, such as train_y.npy",
    "tag lists, a tag a line or Python source, such as 50tagList.txt",
    "unique_tracks.txt",
)


@dataclasses.dataclass
class _Files:
    """The files by their content; lists and matrices by the side in their name."""

    ids: dict[str, list[tuple[str, list[str]]]] = dataclasses.field(default_factory=lambda: {s: [] for s in SPLITS})
    matrices: dict[str, list[str]] = dataclasses.field(default_factory=lambda: {s: [] for s in SPLITS})
    tag_lists: list[TagList] = dataclasses.field(default_factory=list)
    artists: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)


def import_msd(files: Sequence[str], audio_root: str, out: str, path_pattern: str = DEFAULT_PATTERN) -> ImportSummary:
    """Turn the published files of the Last.fm tags of the Million Song Dataset into a catalog, annotations, a label set.

    Args:
        files: Published files in any order: id lists and matrices, which are paired by the side in their names; a list of the
            matrices' tags; unique_tracks.txt, which gives the artists.
        audio_root: Folder or bucket of the audio.
        out: Folder for catalog.parquet, annotations.parquet and, with a tag list, label_set.yaml.
        path_pattern: Path of a track below the root, see `paths_of`.

    Raises:
        UserError: a file has none of the published formats, two files do not match, or the pattern is wrong.
    """
    found = _recognize(in_order(files))
    order = one_order(found.tag_lists)
    tracks, labels = [], []
    for side in SPLITS:
        ids_uri = only_one([uri for uri, _ in found.ids[side]], f"id list of the {side} side")
        matrix_uri = only_one(found.matrices[side], f"matrix of the {side} side")
        if ids_uri is None:
            if matrix_uri is not None:
                raise UserError(f"{matrix_uri}: expected an id list of the {side} side beside it; give that too")
            continue
        ids = pa.array(found.ids[side][0][1], pa.string())
        tracks.append(Said(ids_uri, pa.table({"track_id": ids, "split": pa.array([side] * len(ids))})))
        if matrix_uri is not None:
            if order is None:
                raise UserError(f"{matrix_uri}: expected a list of its tags beside it; give 50tagList.txt too")
            labels.append(Said(matrix_uri, matrix_annotations(read_npy(matrix_uri), matrix_uri, ids, ids_uri, order)))
    if not tracks:
        raise UserError("import msd: expected an id list, such as train_x_msd_id.txt; give one for each side")
    catalog = one_row_per_track(tracks)
    artists_uri = only_one([uri for uri, _ in found.artists], "list of artists")
    if artists_uri is None:
        remarks: tuple[Remark, ...] = (
            Remark("tracks without an artist, as unique_tracks.txt is not given", len(catalog), _first(catalog)),
        )
    else:
        catalog, remarks = _with_artists(catalog, artists_uri, found.artists[0][1])
    catalog = catalog.append_column("uri", located(audio_root, paths_of(catalog["track_id"], path_pattern)))
    return write_import(
        Imported("msd", catalog, one_row_per_label(labels), None if order is None else order.tags, remarks), out
    )


def _recognize(files: Sequence[str]) -> _Files:
    found = _Files()
    for uri in files:
        if is_npy(uri):
            if not is_label_matrix(read_npy(uri)):
                raise unrecognized(uri, "the Million Song Dataset", _KNOWN)
            found.matrices[required_side(uri, "a matrix")].append(uri)
            continue
        lines = read_lines(uri)
        if _TRACK_ID.fullmatch(lines[0]):
            _check_ids(uri, lines)
            found.ids[required_side(uri, "an id list")].append((uri, lines))
        elif lines[0].count(_SEPARATOR) >= 3:
            found.artists.append((uri, lines))
        elif is_python_source(lines):
            found.tag_lists.append(python_tag_list(uri, lines))
        elif all(line.strip() and "\t" not in line for line in lines):
            found.tag_lists.append(line_tag_list(uri, lines))
        else:
            raise unrecognized(uri, "the Million Song Dataset", _KNOWN)
    return found


def _check_ids(uri: str, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines, start=1):
        if not _TRACK_ID.fullmatch(line):
            raise UserError(f"{uri}: line {number}: expected a track id, received {line!r}; download it again")


def _with_artists(catalog: pa.Table, uri: str, lines: Sequence[str]) -> tuple[pa.Table, tuple[Remark, ...]]:
    """The catalog with the artists of unique_tracks.txt as groups."""
    fields = pc.split_pattern(pa.array(lines, pa.string()), _SEPARATOR, max_splits=3)
    lengths = fields.value_lengths().to_numpy()
    short = np.flatnonzero(lengths != 4)
    if len(short):
        raise UserError(
            f"{uri}: line {short[0] + 1}: expected track, song, artist and title with {_SEPARATOR} between them, "
            f"received {lines[short[0]]!r}; download it again"
        )
    artist = pc.list_element(fields, 2)
    artist = pc.if_else(pc.equal(artist, ""), None, artist)
    known = one_row_per_track([Said(uri, pa.table({"track_id": pc.list_element(fields, 0), "group": artist}))])
    place = pc.index_in(catalog["track_id"], value_set=known["track_id"].combine_chunks())
    catalog = catalog.append_column("group", known["group"].take(place))
    unlisted = pc.invert(pc.is_in(known["track_id"], value_set=catalog["track_id"].combine_chunks()))
    return catalog, (
        *remark("tracks with an artist that no id list names, left out", known["track_id"], unlisted),
        *remark("tracks without an artist, each a group of its own", catalog["track_id"], pc.is_null(catalog["group"])),
    )


def _first(catalog: pa.Table) -> str:
    return str(catalog["track_id"][0].as_py())
