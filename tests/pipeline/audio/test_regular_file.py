"""Only regular files are opened as audio; anything else under such a name is refused at once, without waiting."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.audio.regular_file import NotAFileError, open_regular_file

pytestmark = pytest.mark.usefixtures("hanging_fails")


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(path))  # a socket's name is at most 107 letters long


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "a pipe"),
    "link": (link_to_a_pipe, "a pipe"),
    "socket": (bound_socket, "a socket"),
    "folder": (os.mkdir, "a folder"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_by_its_kind(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, words = KINDS[kind]
    make(tmp_path / "a.wav")
    with pytest.raises(NotAFileError, match=f"expected a file, found {words}$"):
        open_regular_file(str(tmp_path / "a.wav"))


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_takes_a_files_place_before_it_is_opened_is_neither_waited_for_nor_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "regular").touch()
    status = os.stat(tmp_path / "regular")
    KINDS[kind][0](tmp_path / "a.wav")
    monkeypatch.setattr(os, "stat", lambda path, **_: status)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NotAFileError, match=KINDS[kind][1]):
        open_regular_file(str(tmp_path / "a.wav"))
    assert os.listdir("/proc/self/fd") == before


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "music.wav").write_bytes(b"audio")
    (tmp_path / "link.wav").symlink_to("music.wav")
    with open_regular_file(str(tmp_path / "link.wav")) as file:
        assert (file.read(), file.name) == (b"audio", str(tmp_path / "link.wav"))
