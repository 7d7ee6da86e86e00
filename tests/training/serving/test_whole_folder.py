"""A folder appears whole or not at all, wherever the copying was cut short; the same call again makes it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import training.serving.whole_folder
from schemas.console.errors import UserError
from training.serving.whole_folder import place_folder, require_replaceable

MARKER = "model.pb"


class Killed(BaseException):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "finished"
    for name, text in {MARKER: "new", "variables/data": "new weights", "assets/words.txt": "new words"}.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def place(folder: Path, out: Path) -> int:
    require_replaceable(str(out), MARKER, "a model")
    return place_folder(str(folder), str(out), MARKER)


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_new_one_is_a_copy_and_nothing_is_left_beside_it(folder: Path, tmp_path: Path) -> None:
    assert place(folder, tmp_path / "deep" / "out") == sum(len(text) for text in texts(folder).values())
    assert texts(tmp_path / "deep" / "out") == texts(folder)
    assert os.listdir(tmp_path / "deep") == ["out"]
    assert (tmp_path / "deep" / "out").stat().st_mode & 0o777 == 0o755


def test_one_that_is_there_is_replaced_and_what_the_user_put_in_stays(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in (MARKER, "variables/data-of-2", "assets.extra/warmup", "notes.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("old")
    place(folder, out)
    assert texts(out) == {**texts(folder), "assets.extra/warmup": "old", "notes.txt": "old"}
    assert sorted(os.listdir(tmp_path)) == ["finished", "out"]


@pytest.mark.parametrize("renames", [True, False])
def test_an_optional_file_of_an_earlier_one_goes(
    renames: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not renames:
        monkeypatch.setattr(os, "rename", _refuse)
    (folder / "picture.png").write_text("new")
    optional = ("assets/slopes.txt", "picture.png", "old.png")
    for name in (MARKER, *optional):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("old")
    place_folder(str(folder), str(tmp_path / "out"), MARKER, optional)
    assert texts(tmp_path / "out") == texts(folder)


def _refuse(*_: object) -> None:
    raise OSError(errno.EXDEV, "another disk")


def test_a_link_stays_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "out").symlink_to("target")
    place(folder, tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert texts(tmp_path / "target") == texts(folder)


def test_a_folder_of_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "holiday.jpg").touch()
    with pytest.raises(UserError, match=r"expected a model or an empty folder, found holiday\.jpg"):
        place(folder, tmp_path / "out")


@pytest.mark.parametrize("renames", [True, False])
@pytest.mark.parametrize("replaces", [True, False])
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("step", range(8))
def test_wherever_it_is_killed_it_is_whole_or_not_there_and_the_same_call_makes_it(
    step: int, after: bool, replaces: bool, renames: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    users = {"notes.txt": "mine"} if replaces else {}  # a file of the user in the folder
    before = {MARKER: "old", "variables/data": "old weights", **users} if replaces else {}
    for name, text in before.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    calls = 0

    def killed(function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step and not after:
                raise Killed
            result = function(*arguments, **named)
            if calls == step:
                raise Killed
            return result

        return counted

    with monkeypatch.context() as patched:
        # After a kill, `finally` blocks do not run either.
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        patched.setattr(training.serving.whole_folder, "_copy", killed(training.serving.whole_folder._copy))
        patched.setattr(
            training.serving.whole_folder, "write_atomic", killed(training.serving.whole_folder.write_atomic)
        )
        patched.setattr(training.serving.whole_folder, "remove", killed(training.serving.whole_folder.remove))
        patched.setattr(os, "rename", killed(os.rename) if renames else _cannot_rename)
        try:
            place(folder, out)
        except Killed:
            if (out / MARKER).exists():
                left = {
                    name: text for name, text in texts(out).items() if name != training.serving.whole_folder.BEGUN_NAME
                }
                assert left in (before, {**texts(folder), **users})
    if not renames:
        monkeypatch.setattr(os, "rename", _cannot_rename)
    place(folder, out)
    assert texts(out) == {**texts(folder), **users}
    assert sorted(os.listdir(tmp_path)) == ["finished", "out"]


def test_a_stop_between_the_two_renames_brings_the_old_one_back(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    place(folder, out)
    (out / "notes.txt").write_text("mine")
    rename = os.rename

    def stopped(source: str, target: str) -> None:
        if source.endswith("new-out"):
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", stopped)
        with pytest.raises(KeyboardInterrupt):
            place(folder, out)
    assert texts(out) == {**texts(folder), "notes.txt": "mine"}


def test_a_kill_between_the_two_renames_loses_nothing_that_the_user_put_in(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    place(folder, out)
    (out / "notes.txt").write_text("mine")
    shutil.copytree(out, tmp_path / f"{training.serving.whole_folder.TEMPORARY_PREFIX}new-out")
    out.rename(tmp_path / f"{training.serving.whole_folder.TEMPORARY_PREFIX}old-out")
    place(folder, out)
    assert texts(out) == {**texts(folder), "notes.txt": "mine"}
    assert sorted(os.listdir(tmp_path)) == ["finished", "out"]


def test_two_at_once_are_one_and_a_refusal(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, refused = training.serving.whole_folder._copy, []

    def copying(source: str, target: str) -> None:
        if not refused:
            with pytest.raises(UserError, match="another command is changing this folder") as error:
                place_folder(str(folder), str(tmp_path / "out"), MARKER)
            refused.append(str(error.value))
        copy(source, target)

    monkeypatch.setattr(training.serving.whole_folder, "_copy", copying)
    place(folder, tmp_path / "out")
    assert refused[0].startswith(f"{tmp_path / 'out'}: ")
    assert texts(tmp_path / "out") == texts(folder)


def _cannot_rename(_source: str, _target: str) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
