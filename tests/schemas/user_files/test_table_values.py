"""Tables that other programs write can be read: each column has the type that pandas, polars or DuckDB gives such a column."""

from __future__ import annotations

import decimal
import itertools
import json
import math
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.console.errors import UserError
from schemas.user_files.table_files import read_table

SCHEMA = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("group", pa.string()),
        pa.field("duration", pa.float64()),
        pa.field("tags", pa.list_(pa.string())),
    ]
)
ID = uuid.UUID(int=7)


def _read(path: Path) -> pa.Table:
    return read_table(str(path), what="catalog", required=(), schema=SCHEMA)


def _parquet(path: Path, name: str, column: Any) -> pa.Table:
    pq.write_table(pa.table({name: column}), path)
    return _read(path)


def _bytes_as_text(values: Sequence[bytes]) -> pa.Array:
    ends = pa.array([0, *itertools.accumulate(map(len, values))], pa.int32())
    return pa.Array.from_buffers(pa.string(), len(values), [None, ends.buffers()[1], pa.py_buffer(b"".join(values))])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([12345678901.0, 1e10, 7.0]), ["12345678901", "10000000000", "7"]),  # pandas, if an id was missing
        (pa.array([2**63 + 1], pa.uint64()), ["9223372036854775809"]),
        (pa.array(["007", "é"], pa.large_string()), ["007", "é"]),  # pandas 3, polars
        (pa.array(["007", "é"], pa.string_view()), ["007", "é"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),  # categories
        (pa.array([b"a", "é".encode()]), ["a", "é"]),  # Spark and DuckDB, without the logical type for text
        (pa.array([decimal.Decimal("7.00"), decimal.Decimal("12345678901.00")]), ["7", "12345678901"]),  # polars
        (pa.array([decimal.Decimal("123456789012345678901234567890")]), ["123456789012345678901234567890"]),
        (pa.array([ID.bytes], pa.binary(16)).cast(pa.uuid()), [str(ID)]),  # DuckDB
        (pa.array([datetime(2020, 1, 2).date()]), ["2020-01-02"]),
    ],
)
def test_ids_of_any_type_that_can_name_a_track_are_text(tmp_path: Path, column: pa.Array, expected: list[str]) -> None:
    assert _parquet(tmp_path / "t.parquet", "track_id", column)["track_id"].to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([1.0, 1.5]), "row 2: track_id: expected text or a whole number below 2^53, received 1.5"),
        (pa.array([1.0, 2.0**53]), "row 2: track_id: expected text or a whole number below 2^53, received 90071992547"),
        (pa.array([1.0, math.inf]), "row 2: track_id: expected text or a whole number below 2^53, received inf"),
        (pa.array([1.0, math.nan]), "row 2: track_id is empty; fill it in or remove the row"),
        (pa.array([1.0, None]), "row 2: track_id is empty"),
        (pa.array(["a", ""]), "row 2: track_id is empty"),
        (pa.array([None, True]), "row 2: track_id: expected text, received True (bool)"),
        (pa.array([datetime(2020, 1, 2)]), "row 1: track_id: expected text, received datetime.datetime(2020, 1, 2"),
        (pa.array([["a"]]), "row 1: track_id: expected text, received ['a']"),
        (pa.array(["a", "b\0"]), "row 2: track_id: expected text, received a NUL letter in 'b\\x00'"),
        (pa.array([b"a", b"\xff"]), "row 2: track_id: expected UTF-8 text, received b'\\xff'"),
        (_bytes_as_text([b"a", b"b", b"\xff\xfe"]), "row 3: track_id: expected UTF-8 text, received b'\\xff\\xfe'"),
        (_bytes_as_text([b"a", b"\xed\xa0\x80"]), "row 2: track_id: expected UTF-8 text"),
    ],
)
def test_what_names_no_track_is_refused_with_its_row(tmp_path: Path, column: pa.Array, words: str) -> None:
    with pytest.raises(UserError) as refused:
        _parquet(tmp_path / "t.parquet", "track_id", column)
    assert str(refused.value).removeprefix(f"catalog {tmp_path / 't.parquet'}: ").startswith(words)


def test_text_that_is_not_utf8_is_refused_in_columns_that_are_carried_along_and_in_lists_too(tmp_path: Path) -> None:
    bad = _bytes_as_text([b"a", b"\xff"])
    for name, column in {"title": bad, "tags": pa.ListArray.from_arrays([0, 1, 2], bad)}.items():
        with pytest.raises(
            UserError, match=f"row 2: {name}: expected UTF-8 text, received b'.xff'; save the table in UTF-8"
        ):
            _parquet(tmp_path / "t.parquet", name, column)


@pytest.mark.parametrize("kind", [pa.float32(), pa.int16(), pa.decimal128(20, 1), pa.string(), pa.large_string()])
def test_numbers_of_any_type_are_numbers_and_nan_is_unknown(tmp_path: Path, kind: pa.DataType) -> None:
    values = pa.array(["1", None, " 3"]) if "string" in str(kind) else pa.array([1, None, 3]).cast(kind)
    assert _parquet(tmp_path / "t.parquet", "duration", values)["duration"].to_pylist() == [1.0, None, 3.0]
    assert _parquet(tmp_path / "t.parquet", "duration", pa.array([math.nan, 2]))["duration"].to_pylist() == [None, 2.0]
    assert _parquet(tmp_path / "t.parquet", "group", pa.array([math.nan, 2]))["group"].to_pylist() == [None, "2"]
    for nothing in (pa.nulls(2), pa.nulls(2, pa.bool_()), pa.nulls(2, pa.struct({"a": pa.int8()}))):
        assert _parquet(tmp_path / "t.parquet", "duration", nothing)["duration"].to_pylist() == [None, None]
    for text in (pa.string(), pa.large_string(), pa.string_view()):
        written = pa.array([" 1e1 ", "", "nan", " "], text)
        assert _parquet(tmp_path / "t.parquet", "duration", written)["duration"].to_pylist() == [10.0, None, None, None]
    with pytest.raises(UserError, match="row 2: duration: expected a number, received '1:30'"):
        _parquet(tmp_path / "t.parquet", "duration", pa.array(["1", "1:30", "x"]))
    with pytest.raises(UserError, match=r"row 1: duration: expected a number, received \[1\]"):
        _parquet(tmp_path / "t.parquet", "duration", pa.array([[1]]))


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_of_any_type_are_lists_of_text(tmp_path: Path, kind: Any) -> None:
    column = pa.chunked_array(
        [pa.array([["a", "b"], None], kind(pa.string())), pa.array([["c", None]], kind(pa.string()))]
    )
    read = _parquet(tmp_path / "t.parquet", "tags", column)["tags"].to_pylist()
    assert [row or [] for row in read] == [["a", "b"], [], ["c", None]]
    numbers = pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))
    assert _parquet(tmp_path / "t.parquet", "tags", numbers)["tags"].to_pylist() == [["1", "2"], ["3", "4"]]
    assert _parquet(tmp_path / "t.parquet", "tags", pa.array(["a|b"]))["tags"].to_pylist() == ["a|b"]
    with pytest.raises(UserError, match="row 3: tags: expected text or a whole number below 2.53, received 1.5"):
        _parquet(tmp_path / "t.parquet", "tags", pa.array([[], None, [1.0, 1.5]]))


def test_json_lines_may_mix_what_means_the_same(tmp_path: Path) -> None:
    rows = [
        {"track_id": 12345678901, "group": 1.0, "duration": "1.5", "tags": ["a", 7], "more": {"x": 1}},
        {"track_id": 12345678901.0, "group": math.nan, "duration": 2, "tags": None},
        {"track_id": "b", "duration": " 1e1 "},
        {"track_id": "c", "duration": " "},
        {"track_id": "é", "duration": math.nan, "tags": [], "more": 10**30},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n\r\n".join(json.dumps(row) for row in rows), encoding="utf-8-sig")
    read = _read(path).to_pylist()
    assert [row["track_id"] for row in read] == ["12345678901", "12345678901", "b", "c", "é"]
    assert [row["group"] for row in read] == ["1", None, None, None, None]
    assert [row["duration"] for row in read] == [1.5, 2.0, 10.0, None, None]
    assert [row["tags"] or [] for row in read] == [["a", "7"], [], [], [], []]
    assert [row["more"] for row in read] == ['{"x": 1}', None, None, None, "1" + "0" * 30]


def test_many_lines_are_one_table_whatever_their_first_ones_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.user_files.json_tables._ROWS", 2)
    rows: list[dict[str, Any]] = [{"track_id": number} for number in range(5)]
    rows += [
        {"track_id": "x", "tags": ["a"], "more": 1},
        {"track_id": "y", "group": "g", "more": "b"},
        {"track_id": 7.0},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = _read(path)
    assert read["track_id"].to_pylist() == [*"01234", "x", "y", "7"]
    assert read["tags"].to_pylist()[5] == ["a"]
    assert read["group"].to_pylist() == [None] * 6 + ["g", None]
    assert read["more"].to_pylist() == [None] * 5 + ["1", "b", None]
    for last, words in (
        ({"track_id": "z", "tags": "a"}, "tags: expected a list"),
        ({"track_id": 0.5}, "track_id: expected"),
    ):
        path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, last]))
        with pytest.raises(UserError, match=f"line 9: {words}"):
            _read(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"track_id": true}', "line 3: track_id: expected text, received True"),
        ('{"track_id": {"a": 1}}', "line 3: track_id: expected text, received {'a': 1}"),
        ('{"track_id": null}', "line 3: track_id is empty"),
        ('{"track_id": NaN}', "line 3: track_id is empty"),
        ('{"track_id": "\\ud800"}', "line 3: track_id: expected text, received half of a surrogate pair in '\\ud800'"),
        ('{"track_id": "a", "m\\udc00": 1}', "line 3: expected text as the name of a field, received half of a"),
        ('{"track_id": "a", "more": "\\udc00"}', "line 3: more: expected text, received half of a surrogate pair"),
        ('{"track_id": "\\u0000"}', "line 3: track_id: expected text, received a NUL letter"),
        ('{"track_id": "a", "duration": true}', "line 3: duration: expected a number, received True"),
        ('{"track_id": "a", "duration": "1_0"}', "line 3: duration: expected a number, received '1_0'"),
        ('{"track_id": "a", "duration": "\u0663"}', "line 3: duration: expected a number, received '\u0663'"),
        ('{"track_id": "a", "duration": "\\ud800"}', "line 3: duration: expected a number, received '\\ud800'"),
        ('{"track_id": "a", "tags": "a|b"}', "line 3: tags: expected a list as in other rows, received 'a|b'"),
        ('{"track_id": "a", "track_id": "b"}', "line 3: expected each field once, found track_id twice"),
        ('{"track_id": "a"} {"track_id": "b"}', "line 3: cannot be read: expected a JSON object on each line"),
        ('["a"]', "line 3: expected a JSON object on each line, received '[\"a\"]'; write one object a line"),
        ('{"track_id": ' + "[" * 100_000, "line 3: cannot be read: expected a JSON object on each line"),
        ('{"track_id": ' + "9" * 5000 + "}", "line 3: cannot be read: expected a JSON object on each line"),
        (b'{"track_id": "\xfa"}', "line 3: expected UTF-8 text, received the byte 0xfa"),
    ],
)
def test_what_means_nothing_in_json_lines_is_refused_with_its_line(tmp_path: Path, line: Any, words: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(
        b'{"track_id": "x", "tags": ["a"]}\n\n' + (line if isinstance(line, bytes) else line.encode()) + b"\n"
    )
    with pytest.raises(UserError) as refused:
        _read(path)
    assert str(refused.value).removeprefix(f"catalog {path}: ").startswith(words)
    assert len(str(refused.value)) < 400


def test_ids_of_a_csv_lose_the_fraction_that_pandas_gave_every_one_of_them(tmp_path: Path) -> None:
    for ids, expected in {("12345678901.0", "7.0"): ["12345678901", "7"], ("1.0", "2.5"): ["1.0", "2.5"]}.items():
        (tmp_path / "t.csv").write_text("track_id,duration\n" + "".join(f"{one},NaN\n" for one in ids))
        read = _read(tmp_path / "t.csv")
        assert read["track_id"].to_pylist() == expected
        assert read["duration"].null_count == 2


def test_columns_of_a_csv_that_are_carried_along_are_numbers_where_all_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("track_id,year,code,part\na,1999,007,1.5\nb,,123,2\n")
    assert _read(tmp_path / "t.csv").select(["year", "code", "part"]).to_pylist() == [
        {"year": 1999, "code": "007", "part": 1.5},
        {"year": None, "code": "123", "part": 2.0},
    ]
    assert np.isfinite(_read(tmp_path / "t.csv")["part"].to_numpy()).all()
