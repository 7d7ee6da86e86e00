"""Recognize and parse the files of MagnaTagATune and its published splits."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from pipeline.importers.label_matrix import is_label_matrix
from pipeline.importers.published_files import (
    is_npy,
    read_lines,
    read_npy,
    required_side,
    side_in_name,
    unrecognized,
)
from pipeline.importers.tag_lists import TagList, is_python_source, line_tag_list, python_tag_list
from schemas.console.errors import UserError
from schemas.user_files.csv_tables import csv_records
from schemas.user_files.table_values import as_field

_CLIP_ID, _PATH = "clip_id", "mp3_path"
_INFO_COLUMNS = ("artist", "segmentStart", "segmentEnd")
_KNOWN = (
    "annotations_final.csv",
    "clip_info_final.csv",
    "index_mtt.tsv (id, path)",
    "{train,val,test}_gt_mtt.tsv (id, list of labels)",
    "lists of audio paths or .npy paths",
    ".npy arrays of `number path`, of tags or of labels",
    "tag lists, a tag a line or Python source",
)
_INDEX_LINE = re.compile(r"\d+\t[0-9a-f]/[^\t]+\.mp3")
_LABELS_LINE = re.compile(r"\d+\t\[.*\]")
_PATH_LINE = re.compile(r"[0-9a-f]/[^\t]+\.(npy|mp3)")


@dataclasses.dataclass(frozen=True)
class ListedLabels:
    """Labels of clips: `{train,val,test}_gt_mtt.tsv`.

    Attributes:
        uri: URI of the file.
        clip_ids: Clip id of each row.
        matrix: Labels, float64 [clips, tags].
    """

    uri: str
    clip_ids: pa.Array
    matrix: npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class ListedPaths:
    """Clips of a side, listed by path.

    Attributes:
        uri: URI of the file.
        paths: Path of each row, as listed.
        rows: Row of each path in the matrix of all clips; None if the list has its own matrix with one row per path.
    """

    uri: str
    paths: pa.Array
    rows: npt.NDArray[np.int64] | None


@dataclasses.dataclass
class MagnaTagATuneFiles:
    """The files by their content.

    Attributes:
        annotations: annotations_final.csv: uri and table.
        clip_info: clip_info_final.csv: uri and table.
        index: Clip ids and paths: uri and table of the columns clip_id and mp3_path.
        labels: (side, labels of its clips).
        lists: (side, paths of its clips).
        matrices: (side, uri) of matrices; the side is None for the matrix of all clips.
        tag_lists: Tags in the order of the matrices' columns.
    """

    annotations: list[tuple[str, pa.Table]] = dataclasses.field(default_factory=list)
    clip_info: list[tuple[str, pa.Table]] = dataclasses.field(default_factory=list)
    index: list[tuple[str, pa.Table]] = dataclasses.field(default_factory=list)
    labels: list[tuple[str, ListedLabels]] = dataclasses.field(default_factory=list)
    lists: list[tuple[str, ListedPaths]] = dataclasses.field(default_factory=list)
    matrices: list[tuple[str | None, str]] = dataclasses.field(default_factory=list)
    tag_lists: list[TagList] = dataclasses.field(default_factory=list)


def recognize(files: Sequence[str]) -> MagnaTagATuneFiles:
    """Read the files and recognize them by their content.

    Raises:
        UserError: a file has none of the known formats, or is broken.
    """
    found = MagnaTagATuneFiles()
    for uri in files:
        if is_npy(uri):
            _recognize_array(found, uri)
        else:
            _recognize_text(found, uri, read_lines(uri))
    return found


def _recognize_array(found: MagnaTagATuneFiles, uri: str) -> None:
    array = read_npy(uri)
    if is_label_matrix(array):
        found.matrices.append((side_in_name(uri), uri))
    elif array.ndim == 1 and array.dtype.kind == "U":
        texts = [str(text) for text in array]
        if any("\t" in text for text in texts):
            rows = [text.split("\t") for text in texts]
            for number, row in enumerate(rows, start=1):
                if len(row) != 2 or not row[0].isdecimal():
                    raise UserError(f"{uri}: element {number}: expected a number, a tab and a path, received {row}")
            paths = pa.array([path for _, path in rows], pa.string())
            numbers = np.array([int(number) for number, _ in rows], np.int64)
            found.lists.append((required_side(uri, "a list of clips"), ListedPaths(uri, paths, numbers)))
        else:
            found.tag_lists.append(_spelled_as_in_the_data_set(line_tag_list(uri, texts)))
    else:
        raise unrecognized(uri, "MagnaTagATune", _KNOWN)


def _recognize_text(found: MagnaTagATuneFiles, uri: str, lines: list[str]) -> None:
    if lines[0].lstrip('"').startswith(_CLIP_ID):
        _, header = next(csv_records(lines[0].encode(), "\t"))
        if header[-1] != _PATH:
            raise UserError(f"{uri}: expected the last column {_PATH}, found {header[-1]!r}; download it again")
        is_info = set(_INFO_COLUMNS) <= set(header)
        (found.clip_info if is_info else found.annotations).append(
            (uri, _parse_csv(uri, lines, header, is_info=is_info))
        )
    elif _INDEX_LINE.fullmatch(lines[0]):
        _check_lines(uri, lines, _INDEX_LINE, "a clip id, a tab and a path")
        ids, paths = zip(*(line.split("\t") for line in lines), strict=True)
        found.index.append((uri, pa.table({_CLIP_ID: pa.array(ids, pa.string()), _PATH: pa.array(paths, pa.string())})))
    elif _LABELS_LINE.fullmatch(lines[0]):
        _check_lines(uri, lines, _LABELS_LINE, "a clip id, a tab and a list of labels")
        found.labels.append((required_side(uri, "a file of labels"), _parse_labels(uri, lines)))
    elif _PATH_LINE.fullmatch(lines[0]):
        _check_lines(uri, lines, _PATH_LINE, "a path")
        paths = pa.array(lines, pa.string())
        found.lists.append((required_side(uri, "a list of clips"), ListedPaths(uri, paths, None)))
    elif is_python_source(lines):
        found.tag_lists.append(_spelled_as_in_the_data_set(python_tag_list(uri, lines)))
    elif all(line.strip() and "\t" not in line for line in lines):
        found.tag_lists.append(_spelled_as_in_the_data_set(line_tag_list(uri, lines)))
    else:
        raise unrecognized(uri, "MagnaTagATune", _KNOWN)


def _check_lines(uri: str, lines: Sequence[str], pattern: re.Pattern[str], what: str) -> None:
    for number, line in enumerate(lines, start=1):
        if not pattern.fullmatch(line):
            raise UserError(f"{uri}: line {number}: expected {what}, received {line[:80]!r}; download it again")


def _parse_csv(uri: str, lines: Sequence[str], header: Sequence[str], *, is_info: bool) -> pa.Table:
    """A tab-separated table in spite of its extension, with labels as int8 and all other columns as text.

    Each line is a row, and quotes within a cell need not be escaped, since the titles were typed by hand.
    """
    for number, line in enumerate(lines, start=1):
        if line.count('"') % 2:
            raise UserError(f"{uri}: line {number}: a quote begins a cell here and is never closed; download it again")
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO("\n".join(lines).encode()),
            parse_options=pyarrow.csv.ParseOptions(delimiter="\t"),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowException as error:
        raise UserError(f"{uri}: cannot be read: {' '.join(str(error).split())}; download it again") from error
    filled = [number for number, line in enumerate(lines, start=1) if line]

    def error_at(row: int, problem: str) -> UserError:
        return UserError(f"{uri}: line {filled[row + 1]}: {problem}; download it again")

    for place, name in enumerate(header):
        kind = pa.string() if is_info or name in (_CLIP_ID, _PATH) else pa.int8()
        table = table.set_column(place, name, as_field(table.column(place), pa.field(name, kind), error_at))
    return table


def _parse_labels(uri: str, lines: Sequence[str]) -> ListedLabels:
    ids: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        clip, text = line.split("\t", 1)
        try:
            row = [float(value) for value in json.loads(text)]  # a Python list of numbers is also JSON
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            raise UserError(f"{uri}: line {number}: expected a list of numbers, received {text[:80]!r}") from error
        if rows and len(row) != len(rows[0]):
            raise UserError(
                f"{uri}: line {number}: expected {len(rows[0])} labels, as in line 1, received {len(row)}; download it again"
            )
        ids.append(clip)
        rows.append(row)
    return ListedLabels(uri, pa.array(ids, pa.string()), np.array(rows, np.float64))


def _spelled_as_in_the_data_set(tags: TagList) -> TagList:
    """Spell tags as in the data set: `noVocals` in one published list is `no vocals` there."""
    return TagList(tags.uri, tuple(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag).lower() for tag in tags.tags))
