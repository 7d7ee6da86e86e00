"""Each file has a timeline with a name of its own."""

from __future__ import annotations

import os

from training.serving.timeline_names import timeline_names


def test_a_timeline_is_named_after_its_file() -> None:
    names = timeline_names(["a/song.mp3", "gs://bucket/x/b.c.flac", "file:///m/so%20ng.wav", "no_ending", ".mp3"])
    assert list(names.values()) == ["song", "b.c", "so ng", "no_ending", ".mp3"]


def test_files_of_one_name_are_told_apart_by_numbers() -> None:
    files = ["a/song.mp3", "b/song.flac", "c/Song.mp3", "song-2.wav", "d/song.mp3", "e/song-2.ogg"]
    names = timeline_names(files)
    assert list(names.values()) == ["song", "song-3", "Song-4", "song-2", "song-5", "song-2-2"]
    assert timeline_names([*files, *files]) == names


def test_long_names_are_cut_and_still_told_apart() -> None:
    files = [f"{'ü' * 120}{end}.mp3" for end in "ab"] + [f"{'x' * 300}.mp3", os.fsdecode(b"\xff.mp3")]
    names = list(timeline_names(files).values())
    assert names == ["ü" * 100, f"{'ü' * 100}-2", "x" * 200, os.fsdecode(b"\xff")]
