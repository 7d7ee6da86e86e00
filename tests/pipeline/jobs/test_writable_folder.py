"""The folder for a command's output is made, and removed again if nothing was written into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.jobs.writable_folder import writable_folder
from schemas.console.errors import UserError


def test_a_folder_stays_only_with_something_in_it(tmp_path: Path) -> None:
    with writable_folder(str(tmp_path / "empty" / "deep")):
        assert (tmp_path / "empty" / "deep").is_dir()
    assert not (tmp_path / "empty" / "deep").exists()
    with writable_folder(str(tmp_path / "filled")):
        (tmp_path / "filled" / "file").write_text("x")
    assert (tmp_path / "filled" / "file").exists()


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(UserError, match="cannot be written in: .*choose another folder"),
        writable_folder(str(tmp_path / "file" / "below")),
    ):
        pass
