from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from pipeline.importers.jamendo import import_jamendo
from tests.pipeline.importers.reading import label_set_tags, labels_of, rows_of
from tests.pipeline.importers.refusals import refusal_of
from tests.pipeline.importers.small_publications import JAMENDO_HEADER, write_jamendo_files, write_lines

_refused = partial(refusal_of, import_jamendo)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return write_jamendo_files(tmp_path / "published")


def test_each_field_after_the_fifth_is_a_tag_and_the_split_files_give_the_sides(
    files: list[str], tmp_path: Path
) -> None:
    summary = import_jamendo(files, "/audio", str(tmp_path / "out"))
    assert summary.splits == {"train": 1, "validation": 1, "test": 1, "none": 1}
    assert (summary.tracks, summary.annotations, summary.tags, summary.groups) == (4, 6, 4, 3)
    assert rows_of(tmp_path / "out")["track_0000216"] == {
        "uri": "/audio/16/216.mp3",
        "group": "artist_000007",
        "split": "validation",
        "duration": 234.9,
        "album": "album_000032",
    }
    assert labels_of(tmp_path / "out")["track_0000215"] == {
        "genre---jazz": 1,
        "instrument---voice": 1,
        "mood/theme---calm": 1,
    }
    assert label_set_tags(tmp_path / "out") == ("genre---rock", "genre---jazz")
    assert [(remark.count, remark.example) for remark in summary.remarks] == [
        (1, "track_0000217"),
        (1, "artist_000014"),
    ]


def test_tags_of_a_track_in_several_tables_are_those_of_all(files: list[str], tmp_path: Path) -> None:
    mood = tmp_path / "autotagging_moodtheme.tsv"
    row = "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tmood/theme---horror"
    import_jamendo([*files, write_lines(mood, [JAMENDO_HEADER, row])], "/audio", str(tmp_path / "out"))
    assert set(labels_of(tmp_path / "out")["track_0000214"]) == {"genre---rock", "mood/theme---horror"}


def test_the_tag_map_renames_what_a_raw_table_still_spells_otherwise(tmp_path: Path) -> None:
    row = "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punk\tinstrument---synthé\tgenre---punkrock"
    files = [
        write_lines(tmp_path / "raw_30s.tsv", [JAMENDO_HEADER, row]),
        write_lines(
            tmp_path / "tag_map.json", ['{"genre": {"punk": "punkrock"},', '"instrument": {"synthé": "synthesizer"}}']
        ),
    ]
    summary = import_jamendo(files, "/audio", str(tmp_path / "out"))
    assert labels_of(tmp_path / "out") == {"track_0000214": {"genre---punkrock": 1, "instrument---synthesizer": 1}}
    assert summary.label_set is None
    assert not (tmp_path / "out" / "label_set.yaml").exists()
    assert [remark.count for remark in summary.remarks] == [2]


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("more.tsv", [JAMENDO_HEADER, "track_0000214\tartist_000099\talbum_000031\t14/214.mp3\t124.6\tgenre---rock"],
         "track 'track_0000214': group: 'artist_000099' and 'artist_000014' contradict each other"),
        ("x-test.tsv", [JAMENDO_HEADER, "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---rock"],
         "split: 'test' and 'train' contradict each other"),
        ("more.tsv", [JAMENDO_HEADER, "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6"],
         "line 2: expected 5 fields and at least one tag between tabs, found 5 fields"),
        ("more.tsv", [JAMENDO_HEADER, "track_0000299\ta\tb\tc.mp3\tlong\tgenre---rock"], "line 2: DURATION: expected a number"),
        ("more.tsv", [JAMENDO_HEADER, "track_0000299\ta\tb\tc.mp3\tinf\tgenre---rock"], "DURATION: expected seconds"),
        ("more.tsv", [JAMENDO_HEADER, "track_0000299\ta\tb\tc.mp3\t1.5\tgenre---rock\t"],
         "line 2: expected tags as category---name, received ''"),
        ("more.tsv", [JAMENDO_HEADER, "\ta\tb\tc.mp3\t1.5\tgenre---rock"], "track 1: its id is empty"),
        ("more.tsv", [JAMENDO_HEADER], "expected rows below the header"),
        ("tags.txt", ["genre---jazz", "genre---rock"], "tag 1 is 'genre---jazz' in the one, 'genre---rock' in the other"),
        ("tags.txt", ["genre---rock"], "received lists of 1 and 2 tags"),
        ("map.json", ["{", "no"], "expected JSON"),
        ("map.json", ['{"genre": "rock"}'], "not in a format that MTG-Jamendo is published in; known are tables"),
        ("readme.txt", ["The data set"], "not in a format that MTG-Jamendo is published in; known are tables"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_named(
    files: list[str], tmp_path: Path, name: str, lines: list[str], words: str
) -> None:
    message = _refused([*files, write_lines(tmp_path / "added" / name, lines)], tmp_path / "out")
    assert words in message
    assert str(tmp_path / "added" / name) in message


def test_a_tag_list_without_a_used_tag_is_refused(files: list[str], tmp_path: Path) -> None:
    other = write_lines(tmp_path / "moodtheme.txt", ["mood/theme---sad"])
    assert "none of the tags of the published list" in _refused([*files[:4], other], tmp_path / "out")
    assert "expected a table with the header" in _refused([other], tmp_path / "out")


def test_published_tags_that_no_track_has_are_left_out_and_reported(files: list[str], tmp_path: Path) -> None:
    other = write_lines(tmp_path / "list.txt", ["mood/theme---sad", "mood/theme---calm"])
    summary = import_jamendo([*files[:4], other], "/audio", str(tmp_path / "out"))
    assert label_set_tags(tmp_path / "out") == ("mood/theme---calm",)
    assert summary.remarks[-1].example == "mood/theme---sad"


def test_the_published_counts(material: Path, tmp_path: Path) -> None:
    folder = material / "annotations" / "jamendo"
    split = sorted(map(str, (folder / "split-0").iterdir()))
    whole = str(folder / "autotagging.rebuilt.tsv")
    lists = [str(folder / "top50.txt"), str(folder / "tag_map.json")]
    summary = import_jamendo([whole, *split, *lists], "/audio", str(tmp_path / "out"))
    assert (summary.tracks, summary.tags, summary.groups) == (55_525, 183, 3_565)
    assert summary.splits == {"train": 32_136, "validation": 10_888, "test": 11_356, "none": 1_145}
    assert summary.label_set == ("jamendo-50", 50)
    assert label_set_tags(tmp_path / "out") == tuple((folder / "top50.txt").read_text().split())
    assert [remark.count for remark in summary.remarks] == [1_145, 0]  # the tag map changes no published tag

    alone = import_jamendo([*split, lists[0]], "/audio", str(tmp_path / "split"))
    assert (alone.tracks, alone.tags) == (32_136 + 10_888 + 11_356, 50)

    mood = [str(folder / name) for name in ("autotagging_moodtheme.tsv", "moodtheme.txt")]
    summary = import_jamendo(mood, "/audio", str(tmp_path / "mood"))
    assert (summary.tracks, summary.tags, summary.label_set) == (18_486, 59, ("jamendo-59", 59))
