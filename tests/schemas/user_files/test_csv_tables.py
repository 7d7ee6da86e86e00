"""Every row of a CSV file becomes a row of the table, or an error names the line where it went wrong."""

from __future__ import annotations

import csv
import io
import random

import pyarrow as pa
import pytest

from schemas.console.errors import UserError
from schemas.user_files.csv_tables import csv_records, parse_csv

PIECES = ("a", "b", ",", ",", "\n", "\n", '"', '"', '""', " ", "\r\n", "\r", "é")


def _refused(text: str, delimiter: str = ",") -> str:
    with pytest.raises(UserError) as refused:
        parse_csv(text.encode(), delimiter, "catalog c.csv", ("track_id", "uri"))
    assert "\n" not in str(refused.value)
    return str(refused.value).removeprefix("catalog c.csv: ")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('track_id,uri\n1,a\n2,"b\n3,c\n', 3, "is never closed"),
        ('track_id,uri\n1,"a\nb"\n\n2,"b\n3,c\n', 5, "is never closed"),
        ('track_id,uri\n1,"b\n2,12" mix\n', 2, "the next quote, on line 3, does not end it, as ' mix' follows"),
        ('track_id,uri\n1,"b\n2,"c"\n', 2, "the next quote, on line 3, does not end it, as 'c\"' follows"),
        (
            'track_id,uri\n1,"b\n2,12"\n3,7" mix\n',
            2,
            "would continue to line 3, while other quotes of the file are letters",
        ),
        ('"track_id,uri\n1,a\n', 1, "is never closed"),
        ('track_id,uri\n1,"b\\"c"\n', 2, "the next quote, on line 2, does not end it"),
    ],
)
def test_a_quote_that_is_not_closed_is_named_where_it_opens(text: str, line: int, words: str) -> None:
    for delimiter in (",", "\t"):
        message = _refused(text.replace(",", delimiter), delimiter)
        assert message.startswith(f"line {line}: a quote begins a cell here")
        assert words.replace(",", delimiter) in message.replace(",", delimiter)
        assert 'write the cell as "…" with each quote in it twice' in message


def test_quotes_within_a_cell_and_white_space_behind_one_are_fine() -> None:
    table = parse_csv(b'track_id,uri\n1,12" mix\n2,"a ""b"""  \n"3",say "hi"\n', ",", "x")
    assert table["uri"].to_pylist() == ['12" mix', 'a "b"  ', 'say "hi"']


def test_a_row_that_is_longer_than_a_block_is_read() -> None:
    text = "track_id,uri\n1,a\n2," + "b" * (9 << 20) + "\n3,c\n"
    assert [len(cell) for cell in parse_csv(text.encode(), ",", "x")["uri"].to_pylist()] == [1, 9 << 20, 1]


def test_text_after_many_numbers_is_read() -> None:
    rows = "".join(f"{number},1999\n" for number in range(1_000_000))
    assert parse_csv(f"track_id,year\n{rows}x,unknown\n".encode(), ",", "x")["year"][-1].as_py() == "unknown"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_is_read_as_the_csv_module_reads_it_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    read = 0
    for _ in range(500):
        text = "x,y\n" + "".join(rng.choice(PIECES) for _ in range(rng.randrange(16)))
        try:
            expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        except csv.Error:
            expected = None
        rows = [cells for _, cells in csv_records(text.encode(), ",")]
        assert expected is None or rows == expected, text
        try:
            table = parse_csv(text.encode(), ",", "x")
        except UserError as error:
            assert expected is None or any(len(row) != 2 for row in expected) or "quotes of the file" in str(error), (
                text
            )
            continue
        read += 1
        assert [[cell or "" for cell in row.values()] for row in table.to_pylist()] == rows[1:], text
    assert read > 50


@pytest.mark.parametrize("header", ['"track_id" ,uri', "\ufefftrack_id,uri", 'track_id,""', "track_id,"])
def test_no_header_makes_numbers_of_text(header: str) -> None:
    """Arrow guesses the type of each column that is not declared, such as one whose name it reads differently."""
    table = parse_csv(f"{header}\n007,1e5\n".encode(), ",", "x")
    assert table.schema.types == [pa.string(), pa.string()]
    assert [column[0].as_py() for column in table.columns] == ["007", "1e5"]


@pytest.mark.parametrize("end", ["", "\n", "\r"])
def test_a_header_alone_is_a_table_without_rows(end: str) -> None:
    table = parse_csv(f"track_id,uri{end}".encode(), ",", "x")
    assert (table.column_names, table.num_rows) == (["track_id", "uri"], 0)
