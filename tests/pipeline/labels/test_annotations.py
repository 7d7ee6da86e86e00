from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.labels.annotations import Annotations, read_annotations
from schemas.console.errors import UserError


def _read(tmp_path: Path, *texts: str) -> Annotations:
    paths = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.csv"
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    return read_annotations(paths)


def _rows(annotations: Annotations) -> dict[tuple[str, str], float]:
    return {
        (annotations.tracks[int(track)].as_py(), annotations.tags[tag]): float(value)
        for track, tag, value in zip(annotations.track, annotations.tag, annotations.value, strict=True)
    }


def test_a_long_table_without_values_is_all_ones(tmp_path: Path) -> None:
    assert _rows(_read(tmp_path, "track_id,tag\n1,rock\n1, jazz \n02,rock\n")) == {
        ("1", "rock"): 1,
        ("1", "jazz"): 1,
        ("02", "rock"): 1,
    }


def test_a_wide_table_is_the_same_as_a_long_one(tmp_path: Path) -> None:
    wide = _rows(_read(tmp_path, "track_id,tags\n1,rock|jazz | \n2,\n3,rock\n"))
    assert wide == {("1", "rock"): 1, ("1", "jazz"): 1, ("3", "rock"): 1}


def test_a_wide_table_may_name_no_tag_at_all(tmp_path: Path) -> None:
    assert _rows(_read(tmp_path, "track_id,tags\n1,\n2,|\n")) == {}


def test_lists_of_tags_are_the_same_as_a_wide_table(tmp_path: Path) -> None:
    lists = [["rock", " jazz ", "", None], [], None, ["rock"]]
    table = pa.table({"track_id": [1, 2, 3, 4], "tags": lists})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    for name in ("a.parquet", "a.jsonl"):
        assert _rows(read_annotations([str(tmp_path / name)])) == {("1", "rock"): 1, ("1", "jazz"): 1, ("4", "rock"): 1}


@pytest.mark.parametrize(
    "cell",
    [
        "\"['rock', 'pop']\"",
        '"[rock, pop]"',
        '"[""rock""]"',
        "[]",
        "\"('rock', 'pop')\"",
        "\"('rock',)\"",
        "\"{'rock', 'pop'}\"",
    ],
)
def test_a_list_that_was_printed_into_a_csv_is_no_tag(tmp_path: Path, cell: str) -> None:
    with pytest.raises(UserError, match="line 3: tags: expected tags with | between them, received a printed list"):
        _read(tmp_path, f"track_id,tags\n1,[live]\n2,{cell}\n")
    with pytest.raises(UserError, match="line 3: tag: expected one tag, received a printed list"):
        _read(tmp_path, f"track_id,tag\n1,[live]\n2,{cell}\n")
    assert _read(tmp_path, "track_id,tag\n1,('90s)\n1,{x}\n").tags == ("('90s)", "{x}")
    assert _rows(_read(tmp_path, "track_id,tags\n1,[live]|[ab]\n")) == {("1", "[live]"): 1, ("1", "[ab]"): 1}


@pytest.mark.parametrize("letter", "\x0b\x0c\x1c\x1d\x85\u2028\u2029")
def test_a_tag_may_hold_letters_that_python_takes_for_line_ends(tmp_path: Path, letter: str) -> None:
    assert _read(tmp_path, f"track_id,tag\n1,a{letter}b\n2,c\n").tags == (f"a{letter}b", "c")


def test_a_value_of_a_wide_table_is_that_of_each_of_its_tags(tmp_path: Path) -> None:
    assert _rows(_read(tmp_path, "track_id,tags,value\n1,rock|jazz,0.5\n")) == {("1", "rock"): 0.5, ("1", "jazz"): 0.5}
    with pytest.raises(UserError, match="line 3: value: expected 0 to 1"):
        _read(tmp_path, "track_id,tags,value\n1,rock|jazz,0.5\n2,rock|jazz,2\n")


def test_an_empty_value_is_unknown(tmp_path: Path) -> None:
    rows = _rows(_read(tmp_path, "track_id,tag,value\n1,rock,0.25\n2,rock,\n"))
    assert rows[("1", "rock")] == 0.25
    assert np.isnan(rows[("2", "rock")])


def test_the_first_of_files_that_disagree_wins_and_it_is_counted(tmp_path: Path) -> None:
    first = "track_id,tag,value\n1,rock,1\n1,jazz,\n"
    second = "track_id,tag,value\n1,rock,0\n1,jazz,0.5\n1,folk,1\n"
    for texts, rock, overruled in (((first, second), 1, 2), ((second, first), 0, 2)):
        annotations = _read(tmp_path, *texts)
        assert _rows(annotations)[("1", "rock")] == rock
        assert _rows(annotations)[("1", "folk")] == 1
        assert annotations.overruled == overruled


def test_rows_of_one_file_that_agree_count_once(tmp_path: Path) -> None:
    annotations = _read(tmp_path, "track_id,tag,value\n1,rock,0.5\n2,rock,1\n1,rock,0.5\n3,rock,\n3,rock,\n")
    assert len(annotations.track) == 3
    assert (annotations.overruled, annotations.repeated) == (0, 2)


def test_rows_of_one_file_that_disagree_are_shown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"track '1', tag 'rock': line 2 says 0.5 and line 4 says 1; keep one"):
        _read(tmp_path, "track_id,tag,value\n1,rock,0.5\n2,rock,1\n1,rock,1\n")


def test_json_lines_without_a_value_are_ones_and_may_be_wide(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"track_id": "1", "tag": "rock"}\n')
    assert _rows(read_annotations([str(path)])) == {("1", "rock"): 1}
    path.write_text('{"track_id": "1", "tags": "rock|jazz"}\n')
    assert _rows(read_annotations([str(path)])) == {("1", "rock"): 1, ("1", "jazz"): 1}
    path.write_text('{"track_id": "1", "tag": "rock", "value": null}\n')
    assert np.isnan(_rows(read_annotations([str(path)]))[("1", "rock")])


def test_a_value_and_an_unknown_of_one_file_disagree(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 2 says nothing \(unknown\) and line 3 says 1"):
        _read(tmp_path, "track_id,tag,value\n1,rock,\n1,rock,1\n")


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 7: value: expected 0 to 1"):
        _read(tmp_path, 'track_id,tag,value\n1,"two\nlines",1\n\n2,"more\nlines",1\n3,rock,7\n')


def test_white_space_around_a_tag_is_no_part_of_it_and_two_such_rows_are_one(tmp_path: Path) -> None:
    annotations = _read(tmp_path, "track_id,tag\n1,rock\n1, rock\n2,rock \n")
    assert _rows(annotations) == {("1", "rock"): 1, ("2", "rock"): 1}
    assert annotations.repeated == 1


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    for number in range(2):
        pq.write_table(pa.table({"track_id": [f"{number}"], "tag": ["rock"]}), tmp_path / f"{number}.parquet")
    for uri in (str(tmp_path), str(tmp_path / "*.parquet")):
        annotations = read_annotations([uri])
        assert _rows(annotations) == {("0", "rock"): 1, ("1", "rock"): 1}
        assert len(annotations.sha256) == 1
    pq.write_table(pa.table({"track_id": ["1"], "tag": ["jazz"]}), tmp_path / "1.parquet")
    assert read_annotations([str(tmp_path)]).sha256 != annotations.sha256


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("track_id,label\n1,rock\n", "expected a column tag"),
        ("tag\nrock\n", "expected the column track_id"),
        (
            "track_id,tag,value\n1,rock,1\n1,jazz,1.5\n",
            r"line 3: value: expected 0 to 1 or nothing \(unknown\), received 1.5",
        ),
        ("track_id,tag,value\n1,rock,loud\n", "value"),
        ("track_id,tag\n1,rock\n2, \n", "line 3: tag is empty"),
        ("track_id,tag\n", "expected at least one row"),
    ],
)
def test_a_mistake_names_the_file_and_the_row(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        _read(tmp_path, text)
    assert str(tmp_path / "0.csv") in str(refused.value)
