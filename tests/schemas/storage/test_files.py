"""Files appear whole or not at all, in local folders and in stores that fsspec reaches."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from schemas.console.errors import UserError
from schemas.storage.files import (
    TEMPORARY_PREFIX,
    absolute,
    download,
    exists,
    files_below,
    is_folder,
    is_remote,
    join,
    list_names,
    local_path,
    matching,
    open_read,
    parent,
    publish,
    read_bytes,
    read_range,
    remove,
    sha256_of,
    size,
    spool,
    write_atomic,
    write_if_absent,
)


def test_a_file_comes_back(folder: str) -> None:
    uri = join(folder, "below", "names with spaces, ü")
    assert not exists(uri)
    write_atomic(uri, b"first")
    write_atomic(uri, b"second one")
    assert exists(uri)
    assert (read_bytes(uri), size(uri)) == (b"second one", 10)
    assert (read_range(uri, 7, 3), read_range(uri, 7, 100)) == (b"one", b"one")
    assert sha256_of(uri) == hashlib.sha256(b"second one").hexdigest()
    remove(uri)
    remove(uri)
    assert not exists(uri)


def test_write_if_absent_never_replaces(folder: str) -> None:
    uri = join(folder, "mark")
    assert write_if_absent(uri, b"first")
    assert not write_if_absent(uri, b"second")
    assert write_if_absent(uri, b"first")  # a twin of the same task wrote the same bytes
    assert read_bytes(uri) == b"first"
    assert list_names(folder) == ["mark"]


def test_write_if_absent_lets_one_of_many_writers_through(tmp_path: Path) -> None:
    uri, start, won = str(tmp_path / "mark"), threading.Barrier(16), []

    def write(number: int) -> None:
        start.wait()
        if write_if_absent(uri, str(number).encode() * 1000):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10, 26)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert read_bytes(uri) == str(won[0]).encode() * 1000
    assert os.listdir(tmp_path) == ["mark"]


def test_a_missing_file_is_file_not_found(folder: str, tmp_path: Path) -> None:
    for read in (read_bytes, size, sha256_of, lambda uri: download(uri, str(tmp_path / "copy"))):
        with pytest.raises(FileNotFoundError):
            read(join(folder, "absent"))
    assert list_names(folder) == []


def test_names_are_sorted_and_temporary_files_are_left_out(folder: str) -> None:
    for name in ("b", "a", f"{TEMPORARY_PREFIX}c", "d/e"):
        write_atomic(join(folder, name), b"")
    assert list_names(folder) == ["a", "b", "d"]


def test_a_glob_names_what_it_matches_in_order(folder: str) -> None:
    for name in ("b.parquet", "a.parquet", "c.csv"):
        write_atomic(join(folder, name), b"")
    assert [uri.rsplit("/", 1)[-1] for uri in matching(join(folder, "*.parquet"))] == ["a.parquet", "b.parquet"]


def test_a_download_has_the_bytes(folder: str, tmp_path: Path) -> None:
    write_atomic(join(folder, "file"), b"bytes")
    download(join(folder, "file"), str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == b"bytes"
    with open_read(join(folder, "file")) as file:
        assert (file.read(2), file.read()) == (b"by", b"tes")


def test_a_failed_write_leaves_the_old_bytes_and_no_temporary_file(tmp_path: Path) -> None:
    write_atomic(str(tmp_path / "file"), b"old")
    with pytest.raises(TypeError):
        write_atomic(str(tmp_path / "file"), "no bytes")  # type: ignore[arg-type]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomic(str(tmp_path / "folder"), b"a folder is in the way")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_files_can_be_read_by_the_rest_of_the_team(tmp_path: Path) -> None:
    write_atomic(str(tmp_path / "one"), b"")
    write_if_absent(str(tmp_path / "two"), b"")
    for name in ("one", "two"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o644


def test_a_spooled_file_appears_when_it_is_published_and_not_before(folder: str) -> None:
    uri = join(folder, "payload")
    with spool(join(folder, "beside")) as path:
        Path(path).write_bytes(b"payload")
        assert list_names(folder) == []
        publish(path, uri)
        assert read_bytes(uri) == b"payload"
    assert not os.path.exists(path)
    assert list_names(folder) == ["payload"]


def test_a_spooled_file_that_failed_is_gone(tmp_path: Path) -> None:
    def failing() -> None:
        with spool(str(tmp_path / "beside")) as path:
            Path(path).write_bytes(b"half")
            raise RuntimeError("the decoder broke")

    with pytest.raises(RuntimeError):
        failing()
    assert os.listdir(tmp_path) == []


def test_a_replaced_file_is_not_read_through_an_old_handle(tmp_path: Path) -> None:
    uri = str(tmp_path / "payload")
    write_atomic(uri, b"old bytes")
    assert read_range(uri, 0, 3) == b"old"
    write_atomic(uri, b"new bytes")
    assert read_range(uri, 0, 3) == b"new"


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("data", "a", "b"), "data/a/b"),
        (("gs://bucket/data", "a"), "gs://bucket/data/a"),
        (("gs://bucket", "/local/a"), "/local/a"),
        (("data", "gs://bucket/a"), "gs://bucket/a"),
        (("data", ""), "data"),
    ],
)
def test_join_lets_an_absolute_part_win(parts: tuple[str, ...], joined: str) -> None:
    assert join(*parts) == joined


def test_parent_is_the_folder_that_holds_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parent("catalog.csv") == str(tmp_path)
    assert parent("gs://bucket/a/catalog.csv") == "gs://bucket/a"
    assert parent("gs://bucket/catalog.csv") == "gs://bucket"


def test_a_folder_is_told_from_a_file(folder: str) -> None:
    write_atomic(join(folder, "file"), b"")
    assert [is_folder(uri) for uri in (folder, join(folder, "file"), join(folder, "absent"))] == [True, False, False]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a/so%20ng.wav", "/a/so%20ng.wav"),
        ("so%20ng.wav", "so%20ng.wav"),
        ("file:///a/so%20ng.wav", "/a/so ng.wav"),
        ("file://localhost/a/so%20ng.wav", "/a/so ng.wav"),
        ("FILE://LOCALHOST/a.wav", "/a.wav"),
        ("file:/a/%E9%9F%B3%C3%B6.wav", "/a/音ö.wav"),
        ("file:///a/音ö 100% #1?.wav", "/a/音ö 100% #1?.wav"),  # these characters may be escaped, but need not be
        ("file:///a%2Fb/100%25.wav", "/a/b/100%.wav"),
        ("file:///a/latin%E9.wav", os.fsdecode(b"/a/latin\xe9.wav")),
        ("file:///a/line%0Abreak.wav", "/a/line\nbreak.wav"),
    ],
)
def test_a_file_uri_names_the_path_that_rfc_8089_says_and_a_path_is_one(uri: str, path: str) -> None:
    assert local_path(uri) == path
    assert not is_remote(uri)
    assert absolute(uri) == os.path.abspath(path)


def test_every_path_comes_back_from_its_own_uri(tmp_path: Path) -> None:
    for name in ("so ng", "100%", "a%20b", "#?&=+;,", "音楽 ö", "[x]*", "tab\t"):
        assert local_path((tmp_path / name).as_uri()) == str(tmp_path / name)


@pytest.mark.parametrize("uri", ["file://nas/music/a.wav", "file://a.wav", "file://localhost"])
def test_a_file_uri_of_another_machine_is_refused(uri: str) -> None:
    with pytest.raises(
        UserError, match=f"{uri}: expected a file of this machine, as file:///folder/name, received one of"
    ):
        read_bytes(uri)


def test_names_below_a_file_uri_are_names_and_no_spelling(tmp_path: Path) -> None:
    root = (tmp_path / "my data").as_uri()
    write_atomic(join(root, "labels", "a%20b"), b"x")
    assert os.listdir(tmp_path / "my data" / "labels") == ["a%20b"]
    assert list_names(join(root, "labels")) == ["a%20b"]
    assert parent(join(root, "labels")) == str(tmp_path / "my data")
    assert join("/music", "file:///a%20b.wav") == "file:///a%20b.wav"
    assert join(root, "gs://bucket/a%20b.wav") == "gs://bucket/a%20b.wav"
    assert files_below(root) == [str(tmp_path / "my data" / "labels" / "a%20b")]
