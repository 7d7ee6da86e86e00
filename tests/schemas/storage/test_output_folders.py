"""A folder for results is refused before any work where it holds something else or cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.console.errors import UserError
from schemas.storage.files import join, write_atomic
from schemas.storage.output_folders import require_empty_or


def test_a_folder_of_something_else_is_refused_and_named(folder: str) -> None:
    assert not require_empty_or(folder, "dataset.json", "a dataset")
    write_atomic(join(folder, "holiday.jpg"), b"")
    with pytest.raises(
        UserError, match=r"expected a dataset or an empty folder, found holiday.jpg and no dataset.json"
    ):
        require_empty_or(folder, "dataset.json", "a dataset")
    write_atomic(join(folder, "dataset.json"), b"")
    assert require_empty_or(folder, "dataset.json", "a dataset")


def test_a_file_where_a_folder_is_wanted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="expected a folder, found a file"):
        require_empty_or(str(tmp_path / "file"), "dataset.json", "a dataset")
    with pytest.raises(UserError, match=r"below: expected a folder, found the file .*file on the way to it"):
        require_empty_or(str(tmp_path / "file" / "far" / "below"), "dataset.json", "a dataset")


@pytest.mark.parametrize("folder", ["", " ", "file://"])
def test_an_empty_path_is_not_taken_for_the_current_folder(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="expected a folder for a dataset, received an empty path"):
        require_empty_or(folder, "dataset.json", "a dataset")
    assert not require_empty_or(".", "dataset.json", "a dataset")


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="/proc/none/run: cannot be written in: No such file.*; choose another folder"):
        require_empty_or("/proc/none/run", "dataset.json", "a dataset")
    assert not require_empty_or(str(tmp_path / "new" / "run"), "dataset.json", "a dataset")
    assert os.listdir(tmp_path) == []
