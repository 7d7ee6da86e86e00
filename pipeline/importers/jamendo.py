"""Import MTG-Jamendo: TSV tables whose rows end with a field for each tag, split files, tag lists and the tag map."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decode.catalog import check_durations
from pipeline.importers.agreement import Said, one_row_per_label, one_row_per_track
from pipeline.importers.outputs import Imported, ImportSummary, Remark, located, remark, write_import
from pipeline.importers.published_files import in_order, is_npy, only_one, read_lines, side_in_name, unrecognized
from pipeline.importers.tag_lists import TagList, line_tag_list, one_order
from schemas.console.errors import UserError
from schemas.tables import ANNOTATIONS, CATALOG
from schemas.user_files.table_values import as_field

_HEADER = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")
_CATEGORY = "---"  # between a tag's category and its name
_KNOWN = (
    f"tables with the header {' '.join(_HEADER)}, such as autotagging.tsv and the files of splits/",
    "tag lists of a `category---name` a line",
    "tag_map.json",
)


@dataclasses.dataclass
class _Files:
    """The files by their content."""

    tables: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)
    tag_lists: list[TagList] = dataclasses.field(default_factory=list)
    tag_maps: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)


def import_jamendo(files: Sequence[str], audio_root: str, out: str) -> ImportSummary:
    """Turn the published files of MTG-Jamendo into a catalog, annotations and a label set.

    A track may be in several tables: they must agree on it, and it gets the tags of all of them. A table's name determines its
    side of a split. Artists become groups, albums become a further column, and tags keep their category.

    Args:
        files: Published files in any order, with at least one table.
        audio_root: Folder or bucket to which the published paths, such as `14/214.mp3`, refer.
        out: Folder for catalog.parquet, annotations.parquet and, with a tag list, label_set.yaml.

    Raises:
        UserError: a file has none of the published formats, a row is invalid, or two rows contradict each other.
    """
    found = _recognize(in_order(files))
    if not found.tables:
        raise UserError(f"import jamendo: expected a table with the header {' '.join(_HEADER)}; give autotagging.tsv")
    order = one_order(found.tag_lists)
    map_uri = only_one(sorted(found.tag_maps), "tag map")
    renamed = 0
    tracks, labels = [], []
    for uri, lines in found.tables:
        table, tags = _parse(uri, lines)
        if map_uri is not None:
            tags, count = _renamed(tags, found.tag_maps[map_uri])
            renamed += count
        tracks.append(Said(uri, table))
        labels.append(Said(uri, tags))
    catalog = one_row_per_track(tracks)
    catalog = catalog.append_column("uri", located(audio_root, catalog["path"])).drop_columns(["path"])
    return write_import(
        Imported(
            "jamendo",
            catalog,
            one_row_per_label(labels),
            None if order is None else order.tags,
            (*_remarks_on_the_split(catalog), *_remarks_on_the_map(map_uri, renamed)),
        ),
        out,
    )


def _recognize(files: Sequence[str]) -> _Files:
    found = _Files()
    for uri in files:
        if is_npy(uri):
            raise unrecognized(uri, "MTG-Jamendo", _KNOWN)
        lines = read_lines(uri)
        if tuple(lines[0].split("\t")) == _HEADER:
            found.tables.append((uri, lines))
        elif lines[0].lstrip().startswith("{"):
            found.tag_maps[uri] = _tag_map(uri, lines)
        elif all(_CATEGORY in line and "\t" not in line for line in lines):
            found.tag_lists.append(line_tag_list(uri, lines))
        else:
            raise unrecognized(uri, "MTG-Jamendo", _KNOWN)
    return found


def _tag_map(uri: str, lines: Sequence[str]) -> dict[str, str]:
    """Tag -> the tag into which it was merged, both with their category."""
    try:
        categories = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{uri}: expected JSON: {error}") from error
    if not all(
        isinstance(names, dict) and all(isinstance(n, str) for n in names.values()) for names in categories.values()
    ):
        raise unrecognized(uri, "MTG-Jamendo", _KNOWN)
    return {
        f"{category}{_CATEGORY}{source}": f"{category}{_CATEGORY}{target}"
        for category, names in categories.items()
        for source, target in names.items()
    }


def _parse(uri: str, lines: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """A table's tracks (track_id, path, group, album, duration, split) and its labels, schema ANNOTATIONS."""
    if len(lines) == 1:
        raise UserError(f"{uri}: expected rows below the header, found none; download it again")
    fields = pc.split_pattern(pa.array(lines[1:], pa.string()), "\t")
    lengths = fields.value_lengths().to_numpy()
    short = np.flatnonzero(lengths < len(_HEADER))
    if len(short):
        raise UserError(
            f"{uri}: line {short[0] + 2}: expected {len(_HEADER) - 1} fields and at least one tag between tabs, found "
            f"{lengths[short[0]]} fields; download it again"
        )
    flat, starts = fields.flatten(), fields.offsets.to_numpy()[:-1]
    track_id, artist, album, path, duration = (flat.take(pa.array(starts + place)) for place in range(len(_HEADER) - 1))
    table = pa.table(
        {
            "track_id": track_id,
            "path": path,
            "group": artist,
            "album": album,
            "duration": _seconds(duration, uri),
            "split": pa.array([side_in_name(uri)] * len(track_id), pa.string()),
        }
    )
    row = np.repeat(np.arange(len(lengths)), lengths)
    is_tag = np.arange(len(flat)) - starts[row] >= len(_HEADER) - 1
    tags = pc.utf8_trim_whitespace(flat.filter(pa.array(is_tag)))
    row = row[is_tag]
    strange = np.flatnonzero(~pc.match_substring(tags, _CATEGORY).to_numpy(zero_copy_only=False))
    if len(strange):
        raise UserError(
            f"{uri}: line {row[strange[0]] + 2}: expected tags as category{_CATEGORY}name, received "
            f"{tags[strange[0]].as_py()!r}; download it again"
        )
    labels = {"track_id": track_id.take(pa.array(row)), "tag": tags, "value": np.ones(len(tags))}
    return table, pa.table(labels, schema=ANNOTATIONS)


def _seconds(texts: pa.Array, uri: str) -> pa.ChunkedArray:
    def error_at(row: int, problem: str) -> UserError:
        return UserError(f"{uri}: line {row + 2}: {problem}; download it again")

    seconds = as_field(pa.chunked_array([texts]), CATALOG.field("duration").with_name("DURATION"), error_at)
    check_durations(seconds, "DURATION", error_at)
    return seconds


def _renamed(labels: pa.Table, names: dict[str, str]) -> tuple[pa.Table, int]:
    """Labels after the map's merges, and the number of labels that changed."""
    place = pc.index_in(labels["tag"], value_set=pa.array(list(names), pa.string()))
    tags = pc.coalesce(pa.array(list(names.values()), pa.string()).take(place), labels["tag"])
    return labels.set_column(1, ANNOTATIONS.field("tag"), tags), len(place) - place.null_count


def _remarks_on_the_split(catalog: pa.Table) -> tuple[Remark, ...]:
    sides = catalog["split"]
    if sides.null_count == len(sides):
        return ()
    return remark("tracks in none of the split files, kept without a side", catalog["track_id"], pc.is_null(sides))


def _remarks_on_the_map(uri: str | None, renamed: int) -> tuple[Remark, ...]:
    return () if uri is None else (Remark("labels renamed by the tag map", renamed, uri),)
