from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.importers.table import import_table
from pipeline.importers.table_columns import parse_columns
from schemas.console.errors import UserError
from tests.pipeline.importers.reading import labels_of, rows_of
from tests.pipeline.importers.refusals import refusal_of
from tests.pipeline.importers.small_publications import write_lines

_refused = partial(refusal_of, import_table)

COLUMNS = {"track_id": "ID", "uri": "PATH", "group": "ARTIST", "tags": "GENRES"}


def test_tables_are_joined_on_the_track_id(tmp_path: Path) -> None:
    files = [
        write_lines(
            tmp_path / "meta.csv",
            ["ID,PATH,ARTIST,TITLE,split", '01,a/1.mp3,NA,"x, y",train', "02,/b/2.mp3,,z,", "03,,y,,"],
        ),
        write_lines(tmp_path / "tags.tsv", ["ID\tGENRES", "01\tpop; art|pop ;", "02\t", "03\trock"]),
    ]
    summary = import_table(files, "gs://bucket/a", str(tmp_path / "out"), COLUMNS, ";")
    rows = rows_of(tmp_path / "out")
    nothing = {"split": None, "duration": None}
    assert rows == {
        "01": {"uri": "gs://bucket/a/a/1.mp3", "group": "NA", "TITLE": "x, y", **nothing},
        "02": {"uri": "/b/2.mp3", "group": None, "TITLE": "z", **nothing},
    }
    assert pq.read_table(tmp_path / "out" / "annotations.parquet").to_pylist() == [
        {"track_id": "01", "tag": "art|pop", "value": 1},
        {"track_id": "01", "tag": "pop", "value": 1},
    ]
    assert {remark.what: (remark.count, remark.example) for remark in summary.remarks} == {
        "tracks without PATH (uri), left out": (1, "03"),
        "columns with a name that only a mapped one may have, left out": (1, "split"),
        "annotations of tracks that no file gives a path for, left out": (1, "03"),
        "tracks without any annotation, kept": (1, "02"),
    }


def test_the_long_form_keeps_values_and_unknown_ones(tmp_path: Path) -> None:
    lines = ["ID,PATH,SIDE,T,V,note", "1,a.mp3,Training,rock,0.5,n", "1,a.mp3,Training,été,,m", "2,b.mp3,val,rock,1,n"]
    columns = {"track_id": "ID", "uri": "PATH", "split": "SIDE", "tag": "T", "value": "V"}
    summary = import_table([write_lines(tmp_path / "t.csv", lines)], "/audio", str(tmp_path / "out"), columns)
    labels = labels_of(tmp_path / "out")
    assert labels["1"]["rock"] == 0.5
    assert np.isnan(labels["1"]["été"])
    assert summary.splits == {"train": 1, "validation": 1, "test": 0, "none": 0}
    assert [remark.example for remark in summary.remarks] == ["note"]


def test_json_lines_and_parquet_may_hold_lists_and_numbers(tmp_path: Path) -> None:
    rows = [
        {"ID": 7, "PATH": "a.mp3", "GENRES": ["rock", "a|b"], "LENGTH": 30},
        {"ID": 8, "PATH": "b.mp3", "GENRES": []},
    ]
    columns = {"track_id": "ID", "uri": "PATH", "tags": "GENRES", "duration": "LENGTH"}
    write_lines(tmp_path / "t.jsonl", [json.dumps(row) for row in rows])
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    for name in ("t.jsonl", "t.parquet"):
        import_table([str(tmp_path / name)], "/audio", str(tmp_path / name[2:]), columns)
        assert labels_of(tmp_path / name[2:]) == {"7": {"rock": 1, "a|b": 1}}
        assert rows_of(tmp_path / name[2:])["7"]["duration"] == 30


@pytest.mark.parametrize(
    ("lines", "columns", "words"),
    [
        (["ID,PATH", "1,a"], {"track_id": "ID", "uri": "PAHT"}, "no such column in {0}; did you mean 'PATH'?"),
        (["Id,PATH", "1,a"], {"track_id": "ID", "uri": "PATH"}, "{0}: expected the column ID (track_id), found Id, PATH"),
        (["ID,PATH", "1,a", ",b"], {"track_id": "ID", "uri": "PATH"}, "line 3: ID is empty"),
        (["ID,PATH,S", "1,a,dev"], {"track_id": "ID", "uri": "PATH", "split": "S"},
         "line 2: S (split): expected train, validation, test or nothing, received 'dev'"),
        (["ID,PATH,T,V", "1,a,x,2"], {"track_id": "ID", "uri": "PATH", "tag": "T", "value": "V"},
         "line 2: V (value): expected 0 to 1"),
        (["ID,PATH,T,V", "1,a,x,1", "1,a,x,0"], {"track_id": "ID", "uri": "PATH", "tag": "T", "value": "V"},
         "{0}: track '1', tag 'x': value: 1.0 and 0.0 contradict each other"),
        (["ID,PATH,T,V", "1,a,x,1", "1,a,x,"], {"track_id": "ID", "uri": "PATH", "tag": "T", "value": "V"},
         "{0}: track '1', tag 'x': value: 1.0 and None contradict each other"),
        (["ID,PATH", "1,a"], {"track_id": "ID", "uri": "PATH", "group": "xyz"}, "no such column in {0}; there are ID, PATH"),
        (["ID,PATH", "1,a", "1,b"], {"track_id": "ID", "uri": "PATH"}, "{0}: track '1': uri: 'a' and 'b' contradict each other"),
        (["ID,PATH,D", "1,a,1", "2,b,-1"], {"track_id": "ID", "uri": "PATH", "duration": "D"},
         "line 3: D (duration): expected seconds from 0 to 1,000,000,000 or nothing"),
        (["ID;PATH", "1;a"], {"track_id": "ID", "uri": "PATH"}, "expected commas between the columns, received semicolons"),
        (["ID,PATH", '1,"a', "2,b"], {"track_id": "ID", "uri": "PATH"}, "line 2: a quote begins a cell here"),
        (["ID,PATH,D", "1,a,long"], {"track_id": "ID", "uri": "PATH", "duration": "D"}, "long"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_file_and_the_place(
    tmp_path: Path, lines: list[str], columns: dict[str, str], words: str
) -> None:
    path = write_lines(tmp_path / "t.csv", lines)
    assert words.format(path) in _refused([path], tmp_path / "out", columns)


def test_two_tables_that_disagree_are_both_named(tmp_path: Path) -> None:
    files = [write_lines(tmp_path / f"{name}.csv", ["ID,PATH", f"1,{name}.mp3"]) for name in ("a", "b")]
    message = _refused(files, tmp_path / "out", {"track_id": "ID", "uri": "PATH"})
    assert f"{files[0]} and {files[1]}: track '1': uri: 'a.mp3' and 'b.mp3' contradict each other" in message


def test_a_column_of_two_tables_and_one_of_a_long_table_are_left_out_and_reported(tmp_path: Path) -> None:
    files = [
        write_lines(tmp_path / "a.csv", ["ID,PATH,row", "1,a.mp3,1"]),
        write_lines(tmp_path / "b.csv", ["ID,row", "1,2"]),
    ]
    summary = import_table(files, "/audio", str(tmp_path / "out"), {"track_id": "ID", "uri": "PATH"})
    assert "row" not in rows_of(tmp_path / "out")["1"]
    assert ("columns that several tables have, left out", "row") in [(r.what, r.example) for r in summary.remarks]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["track_id=ID"], "expected uri=COLUMN among them"),
        (["track_id"], "--column track_id: expected WHAT=COLUMN"),
        (["track_id="], "--column track_id=: expected WHAT=COLUMN"),
        (["trackid=ID"], "unknown 'trackid'; did you mean 'track_id'?; a column can be track_id, uri"),
        (["track_id=a", "track_id=b"], "expected track_id once, received a for it before"),
    ],
)
def test_a_wrong_mapping_is_refused(pairs: list[str], words: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_columns(pairs)
    assert words in str(refused.value)
    assert parse_columns(["track_id=a=b", "uri=c"]) == {"track_id": "a=b", "uri": "c"}


def test_an_empty_separator_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", ["ID,PATH", "1,a"])
    with pytest.raises(UserError, match="--separator: expected"):
        import_table([path], "/audio", str(tmp_path / "out"), {"track_id": "ID", "uri": "PATH"}, "")
