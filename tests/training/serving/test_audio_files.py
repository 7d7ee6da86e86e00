"""A folder stands for the audio files in it and below, always in the same order; a file stands for itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import fsspec
import pytest

from schemas.console.errors import EXIT_USER_INPUT, UserError
from training.serving.audio_files import audio_files

NAMES = (
    "b.mp3",
    "A.FLAC",
    "z/y/x.ogg",
    "a b/ünï.m4a",
    "b/1.wav",
    "notes.txt",
    ".hidden.mp3",
    ".git/x.mp3",
    "b/._1.wav",
)
FOUND = ("A.FLAC", "a b/ünï.m4a", "b.mp3", "b/1.wav", "z/y/x.ogg")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "music"


def test_a_folder_stands_for_its_audio_files_in_order(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [str(music / name) for name in FOUND]
    assert audio_files([str(music)]) == audio_files([f"{music}/"]) == audio_files([music.as_uri()]) == found
    monkeypatch.chdir(music)
    assert audio_files(["."]) == [f"./{name}" for name in FOUND]


def test_inputs_keep_their_order_and_a_named_file_is_tried_whatever_it_is(music: Path) -> None:
    named = [str(music / "notes.txt"), str(music / ".hidden.mp3"), "gone.wav", "nowhere://x/y.mp3", "gone.wav"]
    assert audio_files([named[0], str(music / "b"), *named[1:]]) == [named[0], str(music / "b" / "1.wav"), *named[1:]]


def test_a_hidden_folder_that_is_named_is_searched(music: Path) -> None:
    assert audio_files([str(music / ".git")]) == [str(music / ".git" / "x.mp3")]


def test_links_are_followed_and_circles_end(music: Path) -> None:
    (music / "b" / "up").symlink_to("..")
    (music / "b" / "self").symlink_to("self")
    (music / "b" / "self.wav").symlink_to("self.wav")
    (music / "gone.wav").symlink_to("nowhere.wav")
    other = music.parent / "other"
    other.mkdir()
    (other / "o.opus").touch()
    (other / "back").symlink_to(music)
    (music / "linked").symlink_to(other)
    (music / "zlinked").symlink_to(other)
    expected = sorted([*FOUND, "b/self.wav", "gone.wav", "linked/o.opus"])
    assert audio_files([str(music)]) == [str(music / name) for name in expected]


def test_a_deep_folder_is_no_problem(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 900)
    os.makedirs(deep)
    (deep / "a.mp3").touch()
    assert audio_files([str(tmp_path)]) == [str(deep / "a.mp3")]


@pytest.mark.parametrize("name", ["empty", "music/a b/.cache"])
def test_a_folder_without_audio_is_one_line(name: str, music: Path) -> None:
    folder = music.parent / name
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(UserError, match="expected audio files in this folder or below it, found none") as refused:
        audio_files([str(music), str(folder)])
    assert str(refused.value).startswith(f"{folder}: ")
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == EXIT_USER_INPUT


def test_a_folder_that_cannot_be_read_is_named(
    music: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed, scandir = str(music / "b"), os.scandir

    def refusing(place: str) -> object:  # root may read everything
        if str(place) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refusing)
    assert audio_files([str(music)]) == [str(music / name) for name in FOUND if name != "b/1.wav"]
    assert capsys.readouterr().err == f"warning: {closed}: cannot be read: Permission denied; its files are left out\n"
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        audio_files([closed])


@pytest.mark.parametrize("folder", ["memory://bucket/music", "memory://bucket/music/"])
def test_a_folder_of_a_store_is_searched_likewise(folder: str) -> None:
    store = fsspec.filesystem("memory")
    for name in NAMES:
        store.pipe(f"memory://bucket/music/{name}", b"x")
    store.pipe("memory://bucket/texts/a.txt", b"x")
    try:
        assert [uri.split("bucket/music/")[1] for uri in audio_files([folder])] == list(FOUND)
        assert all(uri.startswith("memory://") for uri in audio_files([folder]))
        assert audio_files(["memory://bucket/music/notes.txt"]) == ["memory://bucket/music/notes.txt"]
        with pytest.raises(UserError, match="found none"):
            audio_files(["memory://bucket/texts"])
    finally:
        store.rm("memory://bucket", recursive=True)
