"""Read CSV and TSV files as tables of text; input that a lenient parser would misread is an error that names its line.

Arrow searches the rest of a file for the end of a quoted cell, and takes the rows in between for a part of it. Quotes are
therefore checked first: a cell that begins with a quote must end with one, right before a separator or the end of its line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from schemas.console.errors import UserError
from schemas.user_files.text_lines import line_number

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", ":": "colons", " ": "spaces"}
_BLOCK = 8 << 20  # bytes that Arrow parses at a time; a row must fit in a block
_LARGEST_BLOCK = (1 << 31) - 1  # Arrow's sizes are int32
_QUOTE, _LF, _CR = b'"\n\r'
_QUOTED_CELL = re.compile(rb'"(?:[^"]++|"")*+"')
_LINE_END = re.compile(rb"\r\n|\n|\r")
_REMEDY = 'close it, or write the cell as "…" with each quote in it twice'
_SHOWN = 60  # letters of a header that an error shows


def parse_csv(data: bytes, delimiter: str, where: str, expected: Collection[str] = ()) -> pa.Table:
    """A table of text; an empty cell is null.

    Args:
        data: UTF-8 without a byte order mark.
        delimiter: Separator of the cells in a row.
        where: Kind and name of the file, for the errors.
        expected: Names of columns that the table may have; they distinguish a wrong separator from a wrong header.

    Raises:
        UserError: the header is missing, the separator is another, a quote is never closed, or a row has more or fewer cells.
    """
    header = next((cells for _, cells in csv_records(data, delimiter)), None)
    if header is None:
        raise UserError(f"{where}: cannot be read: expected a header line with the names of the columns, found none")
    _check_delimiter(header, delimiter, where, expected)
    _check_quotes(data, delimiter, where)
    try:
        # Arrow finds no columns in a header without a line end.
        table = _parsed(data if _LINE_END.search(data) else data + b"\n", delimiter, len(header))
    except pa.ArrowException as error:
        for line, cells in csv_records(data, delimiter):
            if len(cells) != len(header):
                raise UserError(
                    f"{where}: line {line}: cannot be read: expected {len(header)} cells as in the header, found "
                    f"{len(cells)}; cells that hold a separator need quotes around them"
                ) from error
        raise
    return table.slice(1).rename_columns([column[0].as_py() or "" for column in table.columns])


def csv_records(data: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row begins, from 1, and its cells. The header comes first; blank lines are skipped."""
    sign = re.escape(delimiter.encode())
    cell = re.compile(rb'(?:"((?:[^"]++|"")*+)"([^%s\r\n]*+)|([^%s\r\n]*+))(%s|\r\n|\n|\r|\Z)' % (sign, sign, sign))
    line, begun = 1, 1
    cells: list[str] = []
    for found in cell.finditer(data):
        quoted, rest, plain, end = found.groups()
        written = plain if quoted is None else quoted.replace(b'""', b'"') + rest
        if cells or written or quoted is not None or end == delimiter.encode():
            cells.append(written.decode())
        line += len(_LINE_END.findall(found[0]))
        if end != delimiter.encode():
            if cells:
                yield begun, cells
            begun, cells = line, []


def _parsed(data: bytes, delimiter: str, columns: int) -> pa.Table:
    """A whole file as text, with the header as a row: Arrow would guess the type of a column whose name it parses differently."""
    block = _BLOCK
    while True:
        try:
            return pyarrow.csv.read_csv(
                pa.BufferReader(data),
                read_options=pyarrow.csv.ReadOptions(
                    block_size=min(block, _LARGEST_BLOCK), autogenerate_column_names=True
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={f"f{place}": pa.string() for place in range(columns)},
                    strings_can_be_null=True,
                    # Only an empty cell is null: an artist may be called NA.
                    null_values=[""],
                    quoted_strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or block > min(len(data), _LARGEST_BLOCK):
                raise
            block *= 8  # a row is longer than a block


def _check_delimiter(header: list[str], delimiter: str, where: str, expected: Collection[str]) -> None:
    if set(header) & set(expected):
        return
    text = delimiter.join(header)
    for other in _NAMES.keys() - {delimiter}:
        if {name.strip(' "') for name in text.split(other)} & set(expected):
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
            ending = next((end for end, sign in DELIMITERS.items() if sign == other), None)
            raise UserError(
                f"{where}: line 1: expected {_NAMES[delimiter]} between the columns, received {_NAMES[other]}: {shown!r}; "
                f"save the table with {_NAMES[delimiter]}{f', or name it {ending}' if ending else ''}"
            )


def _check_quotes(data: bytes, delimiter: str, where: str) -> None:
    """Raise UserError unless every quoted cell ends where a cell can end."""
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)
    if len(quotes) == 0 or _all_in_pairs(data, quotes, delimiter):
        return
    # Quotes inside cells that do not begin with one, such as 12" mix, are literal, so the cells are checked one by one.
    opening = re.compile(rb'(?:\A|[\r\n%s])(?=")' % re.escape(delimiter.encode()))
    ends = (delimiter.encode(), b"\r", b"\n", b"")
    position, in_cells = 0, 0
    over_lines: tuple[int, int] | None = None  # bounds of the first cell that spans several lines
    while found := opening.search(data, position):
        start = found.end()
        cell = _QUOTED_CELL.match(data, start)
        if cell is None:
            raise UserError(
                f"{where}: line {line_number(data, start)}: a quote begins a cell here and is never closed; {_REMEDY}"
            )
        position = cell.end()
        while data[position : position + 1] == b" ":
            position += 1
        if data[position : position + 1] not in ends:
            follows = data[cell.end() : cell.end() + _SHOWN].split(b"\n")[0].decode(errors="ignore")
            raise UserError(
                f"{where}: line {line_number(data, start)}: a quote begins a cell here and the next quote, on line "
                f"{line_number(data, cell.end())}, does not end it, as {follows!r} follows; {_REMEDY}"
            )
        in_cells += cell[0].count(b'"')
        if over_lines is None and _LINE_END.search(cell[0]):
            over_lines = start, cell.end()
    if over_lines is not None and in_cells < len(quotes):
        begins, ends_on = (line_number(data, place) for place in over_lines)
        raise UserError(
            f"{where}: line {begins}: a quote begins a cell here that would continue to line {ends_on}, while other quotes of "
            f"the file are letters; {_REMEDY}"
        )


def _all_in_pairs(data: bytes, quotes: npt.NDArray[np.int64], delimiter: str) -> bool:
    """True if the quotes, taken alternately, begin and end cells, or form pairs that each represent one quote."""
    if len(quotes) % 2:
        return False
    signs = np.frombuffer(data, np.uint8)
    edges = np.array([ord(delimiter), _LF, _CR, _QUOTE], np.uint8)
    first, last = quotes[0::2], quotes[1::2]
    before = signs[first[first > 0] - 1]
    after = signs[last[last + 1 < len(data)] + 1]
    return bool(np.isin(before, edges).all() and np.isin(after, edges).all())
