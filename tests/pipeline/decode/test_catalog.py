"""An error in the user's catalog is reported in one line with file and row, before anything is decoded."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.decode.catalog import read_catalog
from schemas.console.errors import UserError
from schemas.tables import CATALOG

WRONG = {
    "no columns": ("id,path\na,b\n", "expected the columns track_id and uri, found id, path"),
    "no uri": ("track_id,path\na,b\n", "expected the column uri, found track_id, path"),
    "no rows": ("track_id,uri\n", "expected at least one row, found none"),
    "nothing": ("", "cannot be read"),
    "an empty id": ("track_id,uri\na,b\n,c\n", "line 3: track_id is empty"),
    "a blank id": ("track_id,uri\na,b\n  ,c\n", "line 3: track_id is empty"),
    "a blank uri": ("track_id,uri\na,b\nc,  \n", "line 3: uri is empty"),
    "one id twice": ("track_id,uri\na,1\nb,2\na,3\n", r"1 occurs more often, such as 'a' \(line 2 and line 4\)"),
    "two ids twice": ("track_id,uri\nb,1\na,2\nb,3\na,4\n", r"2 occur more often, such as 'a' \(line 3 and line 5\)"),
    "a wrong split": (
        "track_id,uri,split\na,1,train\nb,2,\nc,3,dev\n",
        "line 4: split: expected train, validation, test or nothing, received 'dev'",
    ),
    "a wrong duration": ("track_id,uri,duration\na,1,long\n", "long"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_catalog_is_one_line_that_names_it(what: str, tmp_path: Path) -> None:
    content, words = WRONG[what]
    path = tmp_path / "catalog.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=words) as error:
        read_catalog(str(path))
    assert str(error.value).startswith(f"catalog {path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seconds", ["-1", "inf", "1e300", "-0.5"])
def test_a_duration_that_is_no_length_of_time_is_refused_and_nan_is_unknown(seconds: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(f"track_id,uri,duration\n1,a,NaN\n2,b,\n3,c,{seconds}\n")
    with pytest.raises(UserError, match="line 4: duration: expected seconds from 0 to 1,000,000,000 or nothing"):
        read_catalog(str(tmp_path / "c.csv"))
    assert read_catalog(str(tmp_path / "c.csv"), limit=2).table["duration"].to_pylist() == [None, None]


@pytest.mark.parametrize("name", ["a[1].csv", "what?.csv", "*.csv", "[ab].csv"])
def test_a_file_whose_name_looks_like_a_glob_is_that_file(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "music [1990-99]?"
    folder.mkdir()
    (folder / "a.csv").write_text("track_id,uri\nother,b\n")
    (folder / name).write_text("track_id,uri\na,b\n")
    catalog = read_catalog(str(folder / name))
    assert (catalog.table["track_id"].to_pylist(), catalog.root) == (["a"], str(folder))


def test_a_folder_whose_name_looks_like_a_glob_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "part[0]").mkdir()
    (tmp_path / "part0").mkdir()
    for folder, track in (("part[0]", "a"), ("part0", "b")):
        pq.write_table(pa.table({"track_id": [track], "uri": ["1"]}), tmp_path / folder / "x.parquet")
    for uri in ("part[0]", "part[0]/*.parquet", "part[0]/x.parquet"):
        catalog = read_catalog(str(tmp_path / uri))
        assert (catalog.table["track_id"].to_pylist(), catalog.root) == (["a"], str(tmp_path / "part[0]"))


def test_a_row_of_a_folder_is_that_of_its_file(tmp_path: Path) -> None:
    for number, uris in enumerate((["1", "2"], ["3", " "])):
        ids = [f"{number}{row}" for row in range(2)]
        pq.write_table(pa.table({"track_id": ids, "uri": uris}), tmp_path / f"{number}.parquet")
    with pytest.raises(UserError, match=r"row 2 of 1\.parquet: uri is empty"):
        read_catalog(str(tmp_path))


def test_rows_of_a_parquet_catalog_are_counted_from_one(tmp_path: Path) -> None:
    pq.write_table(pa.table({"track_id": ["a", "b", "a"], "uri": ["1", "2", "3"]}), tmp_path / "catalog.parquet")
    with pytest.raises(UserError, match=r"'a' \(row 1 and row 3\)"):
        read_catalog(str(tmp_path / "catalog.parquet"))


def test_a_catalog_keeps_its_order_and_further_columns(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text("year,uri,track_id,split\n1999,b.mp3,2,train\n2001,a.mp3,1,\n")
    catalog = read_catalog(str(path))
    assert catalog.table["track_id"].to_pylist() == ["2", "1"]
    assert catalog.table["split"].to_pylist() == ["train", None]
    assert set(catalog.table.column_names) == {*CATALOG.names, "year"}
    assert read_catalog(str(path), limit=1).table["track_id"].to_pylist() == ["2"]
    assert read_catalog(str(path), limit=10).table.num_rows == 2


def test_a_limit_ends_before_a_later_fault(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("track_id,uri\na,1\nb,2\na,3\n")
    assert read_catalog(str(tmp_path / "catalog.csv"), limit=2).table.num_rows == 2


@pytest.mark.parametrize(
    ("uri", "root"),
    [("c.csv", "."), ("sub/c.csv", "sub"), ("parts", "parts"), ("parts/", "parts"), ("parts/*.parquet", "parts")],
)
def test_relative_uris_start_from_the_catalogs_folder(
    uri: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("sub", "parts"):
        (tmp_path / folder).mkdir()
    for name in ("c.csv", "sub/c.csv"):
        (tmp_path / name).write_text("track_id,uri\na,1\n")
    pq.write_table(pa.table({"track_id": ["a"], "uri": ["1"]}), tmp_path / "parts" / "part-0.parquet")
    assert Path(read_catalog(uri).root) == tmp_path / root
    assert Path(read_catalog(str(tmp_path / uri)).root) == tmp_path / root


def test_a_glob_over_folders_has_no_folder_for_relative_uris(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"track_id": [name], "uri": ["1"]}), tmp_path / name / "part.parquet")
    with pytest.raises(UserError, match="a glob in the folder's name leaves relative uris without a folder"):
        read_catalog(str(tmp_path / "*" / "part.parquet"))
