from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from pipeline.importers.published_files import read_lines, read_npy, side_in_name
from schemas.console.errors import UserError


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("autotagging_top50tags-train.tsv", "train"),
        ("musicnn_val_gt_mtt.tsv", "validation"),
        ("valid.npy", "validation"),
        ("y_test.npy", "test"),
        ("gs://bucket/train/index_mtt.tsv", None),  # a folder's name does not count
        ("contest_trains.txt", None),
        ("train_and_test.txt", None),
    ],
)
def test_a_name_tells_the_side_by_a_word_of_its_own(name: str, side: str | None) -> None:
    assert side_in_name(name) == side


def test_lines_lose_their_ends_a_mark_of_byte_order_and_blank_lines_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("\ufeffune\r\n\r\nété\r\n\r\n".encode())
    assert read_lines(str(tmp_path / "x.txt")) == ["une", "", "été"]


def test_a_line_holds_whatever_an_editor_shows_in_one(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("a\x85b\rc\u2028d\n".encode("utf-16"))
    assert read_lines(str(tmp_path / "x.txt")) == ["a\x85b", "c\u2028d"]


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\xff\xfe\x00", "expected UTF-8 text, received broken UTF-16"), (b"\n \n", "found an empty one")],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "x.cP").write_bytes(data)
    with pytest.raises(UserError, match=words) as refused:
        read_lines(str(tmp_path / "x.cP"))
    assert str(tmp_path / "x.cP") in str(refused.value)


def test_an_array_that_may_not_be_read_is_not_to_be_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "labels.npy")
    np.save(path, np.zeros(3))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(np, "load", refuse)
        with pytest.raises(UserError, match="labels.npy: cannot be read: Permission denied$"):
            read_npy(path)
    (tmp_path / "labels.npy").write_bytes((tmp_path / "labels.npy").read_bytes()[:-8])
    with pytest.raises(UserError, match="not a whole .npy array: .*; download it again"):
        read_npy(path)
