"""Tables of users are read the same in every format, and an error names the file and the row."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.console.errors import UserError
from schemas.tables import ANNOTATIONS, CATALOG
from schemas.user_files.table_files import read_table, row_hint, table_sha256

ROWS = [("007", "a.mp3", "one"), ("1e3", "b c.ogg", None), ("träck", "d.wav", "NA")]


def read(path: Path | str) -> pa.Table:
    return read_table(str(path), what="catalog", required=("track_id", "uri"), schema=CATALOG)


def parquet(path: Path, rows: list[tuple[str | None, ...]] = ROWS) -> Path:
    path.parent.mkdir(exist_ok=True)
    columns = [list(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(dict(zip(("track_id", "uri", "group"), columns, strict=True))), path)
    return path


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


CSV = "track_id,uri,group\n007,a.mp3,one\n1e3,b c.ogg,\nträck,d.wav,NA\n"
JSONL = (
    '{"track_id": "007", "uri": "a.mp3", "group": "one"}\n{"track_id": "1e3", "uri": "b c.ogg", "group": null}\n'
    '{"track_id": "träck", "uri": "d.wav", "group": "NA"}\n'
)
FORMATS = {
    "catalog.csv": lambda path: written(path, CSV),
    "bom.csv": lambda path: written(path, CSV, "utf-8-sig"),
    "windows.csv": lambda path: written(path, CSV.replace("\n", "\r\n")),
    "quoted.CSV": lambda path: written(path, CSV.replace("007", '"007"').replace("b c", '"b c').replace("ogg", 'ogg"')),
    "catalog.tsv": lambda path: written(path, CSV.replace(",", "\t")),
    "catalog.jsonl": lambda path: written(path, JSONL),
    "catalog.ndjson": lambda path: written(path, JSONL),
    "catalog.parquet": parquet,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_alike_and_ids_stay_as_they_are_written(name: str, tmp_path: Path) -> None:
    table = read(FORMATS[name](tmp_path / name))
    assert list(zip(*(table[column].to_pylist() for column in ("track_id", "uri", "group")), strict=True)) == ROWS
    assert table.schema.field("track_id").type == pa.string()


@pytest.mark.parametrize("uri", ["parts", "parts/", "parts/*.parquet", "parts/part-[01].parquet"])
def test_a_folder_or_a_glob_of_parquet_files_is_read_in_order_of_their_names(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parquet(tmp_path / "parts" / "part-1.parquet", ROWS[1:])
    parquet(tmp_path / "parts" / "part-0.parquet", ROWS[:1])
    (tmp_path / "parts" / "_SUCCESS").touch()
    assert read(uri)["track_id"].to_pylist() == [row[0] for row in ROWS]


def test_ids_that_parquet_holds_as_numbers_become_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"track_id": [7, 12], "uri": ["a", "b"]}), tmp_path / "catalog.parquet")
    assert read(tmp_path / "catalog.parquet")["track_id"].to_pylist() == ["7", "12"]


def test_a_quoted_cell_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    table = read(written(tmp_path / "catalog.csv", 'track_id,uri,group\na,x.mp3,"one, ""two""\nthree"\nb,y.mp3,\n'))
    assert table["group"].to_pylist() == ['one, "two"\nthree', None]
    assert table["track_id"].to_pylist() == ["a", "b"]


def test_further_columns_are_carried_along(tmp_path: Path) -> None:
    table = read(written(tmp_path / "catalog.csv", "year,track_id,uri\n1999,a,x.mp3\n"))
    assert table["year"].to_pylist() == [1999]


def test_numbers_and_empty_values_of_annotations(tmp_path: Path) -> None:
    path = written(tmp_path / "tags.csv", "track_id,tag,value\n1,NULL,\n2,1990,0.5\n")
    table = read_table(str(path), what="annotations", required=("track_id",), schema=ANNOTATIONS)
    assert table.to_pylist() == [
        {"track_id": "1", "tag": "NULL", "value": None},
        {"track_id": "2", "tag": "1990", "value": 0.5},
    ]


WRONG = {
    "empty.csv": ("", "cannot be read"),
    "header.csv": ("track_id,uri\n", "expected at least one row, found none"),
    "one_missing.csv": ("track_id,path\na,b\n", "expected the column uri, found track_id, path; rename or add it"),
    "both_missing.tsv": ("id\tpath\na\tb\n", "expected the columns track_id and uri, found id, path"),
    "semicolons.csv": (
        "track_id;uri;duration\na;b;3,5\n",
        "line 1: expected commas between the columns, received semicolons: 'track_id;uri;duration'; save the table with",
    ),
    "tabs.csv": ('"track_id"\t"uri"\n', "expected commas between the columns, received tabs.*, or name it .tsv"),
    "commas.tsv": ("track_id,uri\na,b\n", "expected tabs between the columns, received commas.*, or name it .csv"),
    "twice.csv": ("track_id,uri,uri\na,b,c\n", "expected each column once, found uri twice"),
    "ragged.csv": (
        'track_id,uri\n"a\n",b\n\na,b,c\n',
        "line 5: cannot be read: expected 2 cells as in the header, found 3",
    ),
    "latin1.csv": (b"track_id,uri\na,b\n\xe4,b\n", "line 3: expected UTF-8 text, received the byte 0xe4"),
    "no_id.csv": ("track_id,uri\na,b\n,c\n", "line 3: track_id is empty; fill it in or remove the row"),
    "no_uri.jsonl": ('{"track_id": "a", "uri": null}\n', "line 1: uri is empty"),
    "fraction.jsonl": ('{"track_id": 7.5, "uri": "b"}\n', "line 1: track_id: expected text or a whole number"),
    "broken.jsonl": ('{"track_id": "a"\n', "cannot be read"),
    "duration.csv": ("track_id,uri,duration\na,b,3:20\n", "line 2: duration: expected a number, received '3:20'"),
    "text.parquet": ("track_id,uri\na,b\n", "cannot be read"),
    "catalog.xlsx": ("PK", "expected a table ending in .csv, .tsv"),
    "catalog": ("track_id,uri\na,b\n", "received the ending 'of none'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_file_is_one_line_that_names_it(name: str, tmp_path: Path) -> None:
    content, words = WRONG[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=words) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("absent.csv", "no such file"),
        ("folder", "expected Parquet files there"),
        ("*.parquet", "expected Parquet files"),
    ],
)
def test_what_is_not_there_is_one_line(uri: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=words):
        read(str(tmp_path / uri))


@pytest.mark.usefixtures("hanging_fails")
def test_a_pipe_is_read_once_and_never_waited_for_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "catalog.csv")
    writer = threading.Thread(target=lambda: (tmp_path / "catalog.csv").write_text(CSV), daemon=True)
    writer.start()
    assert read(tmp_path / "catalog.csv").num_rows == len(ROWS)
    writer.join()
    assert row_hint(1, str(tmp_path / "catalog.csv")) == "row 2"
    with pytest.raises(UserError, match=r"catalog\.csv: expected a file, found a pipe, which can be read but once"):
        table_sha256(str(tmp_path / "catalog.csv"))


def test_parquet_files_that_do_not_go_together_are_one_line(tmp_path: Path) -> None:
    parquet(tmp_path / "parts" / "part-0.parquet")
    for name, title in (("0", "one"), ("1", 2)):
        table = pa.table({"track_id": ["x"], "uri": ["y"], "title": [title]})
        pq.write_table(table, tmp_path / "parts" / f"part-{name}.parquet")
    with pytest.raises(UserError, match="cannot be read") as error:
        read(tmp_path / "parts")
    assert "\n" not in str(error.value)
