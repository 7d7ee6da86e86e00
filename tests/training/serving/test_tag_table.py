"""The table of tagged files appears whole, also when the work is stopped, and reads back as what was written."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from schemas.console.errors import UserError
from schemas.console.stopping import Stopped
from schemas.user_files.spreadsheet import text_of_cell
from training.serving.tag import TaggedFile
from training.serving.tag_table import require_table_place, tag_table

TAGS = ["low", 'a "quoted", tag', "ünï"]
SONG = TaggedFile(
    "music/a,b\n.mp3", 1 / 3, {"ünï": 1.0, "low": 0.1 + 0.2, 'a "quoted", tag': 1e-9}, None, ("ünï", "low")
)
BAD = TaggedFile("=1+1.mp3", 0.0, {}, 'io_error: "no", really')


def rows_of(path: Path) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, strict=True))


def test_the_rows_read_back_as_they_were(tmp_path: Path) -> None:
    table = tmp_path / "new" / "tags.csv"
    with tag_table(str(table), TAGS) as add:
        add(SONG)
        assert not table.exists()
        add(BAD)
    header, song, bad = rows_of(table)
    assert header == ["file", "seconds", "problem", "assigned", *TAGS]
    assert (song[0], song[2], song[3]) == (SONG.file, "", "ünï|low")
    assert [float(cell) for cell in (song[1], *song[4:])] == [SONG.seconds, *(SONG.scores[tag] for tag in TAGS)]
    assert bad == ["'=1+1.mp3", "0.0", BAD.problem, "", "", "", ""]
    assert text_of_cell(bad[0]) == BAD.file
    assert table.read_bytes().count(b"\r\n") == 3  # RFC 4180
    assert os.listdir(table.parent) == ["tags.csv"]


def test_a_name_that_is_no_utf8_is_spelled_out(tmp_path: Path) -> None:
    with tag_table(str(tmp_path / "tags.csv"), []) as add:
        add(TaggedFile(os.fsdecode(b"\xff.mp3"), 0.0, {}, "not_found: no such file"))
    assert rows_of(tmp_path / "tags.csv")[1][0] == r"\udcff.mp3"


@pytest.mark.parametrize("how", [Stopped, RuntimeError])
def test_what_was_tagged_before_a_stop_is_kept(how: type[BaseException], tmp_path: Path) -> None:
    table = tmp_path / "tags.csv"
    table.write_text("from before")
    with pytest.raises(how), tag_table(str(table), TAGS):
        raise how
    assert table.read_text() == "from before"
    with pytest.raises(how), tag_table(str(table), TAGS) as add:
        add(SONG)
        raise how
    assert [row[0] for row in rows_of(table)] == ["file", SONG.file]
    assert os.listdir(tmp_path) == ["tags.csv"]


def test_a_place_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, words in (
        (tmp_path, "found the folder"),
        (tmp_path / "file" / "tags.csv", "expected a folder, found a file"),
        (tmp_path / "song.mp3", "received the audio file"),
    ):
        with pytest.raises(UserError, match=words):
            require_table_place(str(place))
    require_table_place(str(tmp_path / "new" / "tags.csv"))
    assert os.listdir(tmp_path) == ["file"]
