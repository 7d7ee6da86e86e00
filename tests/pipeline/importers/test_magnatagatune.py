from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.importers.magnatagatune import import_mtat
from tests.pipeline.importers.reading import label_set_tags, labels_of, rows_of
from tests.pipeline.importers.refusals import refusal_of
from tests.pipeline.importers.small_publications import MTAT_CLIPS, write_lines, write_mtat_files, write_npy

_refused = partial(refusal_of, import_mtat)


def _index(folder: Path) -> str:
    return write_lines(folder / "index_mtt.tsv", [f"{clip}\t{path}" for clip, path in MTAT_CLIPS.items()])


def _python_tags(folder: Path) -> str:
    return write_lines(folder / "output_labels_mtt.txt", ["# Output labels", "MTT_LABELS = ['guitar', 'no voice']"])


def test_the_original_tables_give_tags_artists_and_the_sides_of_the_folders(tmp_path: Path) -> None:
    summary = import_mtat(write_mtat_files(tmp_path), "gs://bucket/mtat/", str(tmp_path / "out"))
    rows = rows_of(tmp_path / "out")
    assert {clip: row["split"] for clip, row in rows.items()} == {
        "2": "test",
        "14": "validation",
        "21": "train",
        "35644": None,
    }
    assert rows["14"]["uri"] == f"gs://bucket/mtat/{MTAT_CLIPS['14']}"
    assert (rows["14"]["group"], rows["14"]["duration"], rows["14"]["title"]) == ("Lvx Nova", 29, 'Contimune "live"')
    assert labels_of(tmp_path / "out") == {
        "2": {"guitar": 1},
        "14": {"no voice": 1, "guitar": 1},
        "35644": {"female vocal": 1},
    }
    assert label_set_tags(tmp_path / "out") == ("guitar", "no voice")
    assert {remark.what: (remark.count, remark.example) for remark in summary.remarks} == {
        "clips that only clip_info_final.csv names, left out": (1, "35645"),
        "clips whose published mp3 is empty, kept without a side": (1, MTAT_CLIPS["35644"]),
        "tracks without any annotation, kept": (1, "21"),
        "groups on several sides of the published split, kept there": (1, "Lvx Nova"),
    }


def test_without_a_tag_list_the_columns_are_the_label_set(tmp_path: Path) -> None:
    import_mtat(write_mtat_files(tmp_path)[:1], "/audio", str(tmp_path / "out"))
    assert label_set_tags(tmp_path / "out") == ("no voice", "guitar", "female vocal")
    assert rows_of(tmp_path / "out")["14"]["group"] == "lvx_nova"
    assert rows_of(tmp_path / "out")["14"]["duration"] == 29


def test_labels_as_python_lists_are_read_and_a_side_without_a_list_is_that_of_its_folders(tmp_path: Path) -> None:
    files = [
        _index(tmp_path),
        _python_tags(tmp_path),
        write_lines(tmp_path / "test_gt_mtt.tsv", ["2\t[1.0, 0.0]"]),
        write_lines(tmp_path / "val_gt_mtt.tsv", ["14\t[1.0, 1.0]"]),
    ]
    summary = import_mtat(files, "/audio", str(tmp_path / "out"))
    assert summary.splits == {"train": 1, "validation": 1, "test": 1, "none": 1}
    assert labels_of(tmp_path / "out") == {"2": {"guitar": 1}, "14": {"guitar": 1, "no voice": 1}}
    told = {remark.what: remark.count for remark in summary.remarks}
    assert told["clips on the train side by their folder, as it has no list"] == 1
    assert told["clips whose labels are in none of the files, kept without"] == 2


def test_lists_of_npy_paths_pair_with_their_matrices_row_by_row(tmp_path: Path) -> None:
    files = [
        _index(tmp_path),
        write_lines(tmp_path / "top50_tags.txt", ["noVoice", "guitar"]),
        write_lines(tmp_path / "train_list.txt", [MTAT_CLIPS["2"].replace(".mp3", ".npy"), MTAT_CLIPS["14"]]),
        write_npy(tmp_path / "y_train.npy", np.array([[0, 1], [1, 0]], np.uint8)),
    ]
    import_mtat(files, "/audio", str(tmp_path / "out"))
    assert labels_of(tmp_path / "out") == {"2": {"guitar": 1}, "14": {"no voice": 1}}
    sides = {clip: row["split"] for clip, row in rows_of(tmp_path / "out").items()}
    assert sides == {"2": "train", "14": "train", "21": None, "35644": None}  # 21 is in no list, though in folder 0


def test_numbers_in_a_list_point_into_the_matrix_of_all_clips(tmp_path: Path) -> None:
    files = [
        _index(tmp_path),
        write_npy(tmp_path / "tags.npy", np.array(["guitar", "no voice"])),
        write_npy(tmp_path / "test.npy", np.array([f"2\t{MTAT_CLIPS['21']}", f"0\t{MTAT_CLIPS['2']}"])),
        write_npy(tmp_path / "binary.npy", np.array([[1, 0], [0, 0], [0, 1], [1, 1]], np.float64)),
    ]
    import_mtat(files, "/audio", str(tmp_path / "out"))
    assert labels_of(tmp_path / "out") == {"2": {"guitar": 1}, "21": {"no voice": 1}}
    files[3] = write_npy(tmp_path / "binary.npy", np.ones((2, 2)))
    assert "expected row numbers below 2, received 2" in _refused(files, tmp_path / "again")


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    write_npy(tmp_path / "y_test.npy", np.array([["a"], [1]], object))
    message = _refused([_index(tmp_path), str(tmp_path / "y_test.npy")], tmp_path / "out")
    assert "received pickled Python objects, which can run code" in message


def test_code_in_a_tag_list_is_not_run(tmp_path: Path) -> None:
    evil = write_lines(
        tmp_path / "labels.txt", [f"open({str(tmp_path / 'ran')!r}, 'w')", "LABELS = ['guitar', open('x')]"]
    )
    assert "expected Python source with a list of strings" in _refused([_index(tmp_path), evil], tmp_path / "out")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("gt_mtt.tsv", ["2\t[1.0, 0.0]"], "expected train, validation or test in the name of a file of labels"),
        ("test_gt.tsv", ["2\t[1.0, 0.0]", "6\t[1.0]"], "line 2: expected 2 labels, as in line 1, received 1"),
        ("test_gt.tsv", ["2\t[1.0, None]"], "line 1: expected a list of numbers"),
        ("test_gt.tsv", ["2\t[1.0, 0.0, 0.0]"], "received 2 tags and 3 columns"),
        ("test_gt.tsv", ["2\t[1.0, 2.0]"], "row 1, column 2: expected a label from 0 to 1, received 2"),
        ("test_gt.tsv", ["2\t[1.0, NaN]"], "row 1, column 2: expected a label from 0 to 1, received nan"),
        ("test_gt.tsv", ["6\t[1.0, 0.0]"], "1 of its 1 clips are in no file that knows paths, such as 6"),
        ("test_list.txt", ["f/unknown-x-01-y-0-29.npy"], "1 of its 1 paths are in no file that knows clip ids"),
        ("test_list.txt", ["f/unknown-x-01-y-0-29.npy", "?"], "line 2: expected a path, received '?'"),
        ("tags.txt", ["no voice", "guitar"], "tag 1 is 'no voice' in the one, 'guitar' in the other"),
        ("index2.tsv", [f"2\t{MTAT_CLIPS['2']}"], "expected one index of clips, received both"),
        ("tags.txt", ["guitar", "guitar"], "expected a list of tags, each once, found 'guitar' 2 times"),
        ("readme.txt", ["A", "", "B"], "not in a format that MagnaTagATune is published in"),
        ("annotations.csv", ["clip_id\tguitar"], "expected the last column mp3_path, found 'guitar'"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, name: str, lines: list[str], words: str) -> None:
    added = write_lines(tmp_path / "added" / name, lines)
    message = _refused([_index(tmp_path), _python_tags(tmp_path), added], tmp_path / "out")
    assert words in message
    assert added in message


def test_a_matrix_that_does_not_fit_its_list_is_named_with_it(tmp_path: Path) -> None:
    listed = write_lines(tmp_path / "test_list.txt", [MTAT_CLIPS["2"]])
    files = [_index(tmp_path), _python_tags(tmp_path)]
    matrix = write_npy(tmp_path / "y_test.npy", np.zeros((2, 2), np.uint8))
    message = _refused([*files, listed, matrix], tmp_path / "out")
    assert f"{listed} and {matrix}: expected a row for each track, received 1 tracks and 2 rows" in message
    assert "expected the list of the test side's clips" in _refused([*files, matrix], tmp_path / "out")
    assert "expected a list of its tags beside it" in _refused([files[0], listed, matrix], tmp_path / "out")
    Path(matrix).write_bytes(Path(matrix).read_bytes()[:-1])
    assert "not a whole .npy array" in _refused([*files, listed, matrix], tmp_path / "out")


def test_lists_of_two_splits_are_refused(tmp_path: Path) -> None:
    files = [
        _index(tmp_path),
        _python_tags(tmp_path),
        write_lines(tmp_path / "test_gt_mtt.tsv", ["2\t[1.0, 0.0]", "14\t[1.0, 0.0]"]),
        write_lines(tmp_path / "test_list.txt", [MTAT_CLIPS["2"]]),
    ]
    second = write_lines(tmp_path / "test_list_too.txt", [MTAT_CLIPS["2"]])
    assert "expected one list of the test side's clips, received both" in _refused([*files, second], tmp_path / "out")
    message = _refused(files, tmp_path / "out")
    assert f"{files[2]} and {files[3]}: expected one split, received two: 2 and 1 clips of the test side" in message


def test_a_clip_with_two_paths_and_a_tag_of_no_column_are_refused(tmp_path: Path) -> None:
    tables = write_mtat_files(tmp_path)
    other = write_lines(tmp_path / "index.tsv", ["2\tf/other-x-01-y-0-29.mp3"])
    message = _refused([*tables, other], tmp_path / "out")
    assert f"{tables[0]} and {other}: track '2': path" in message
    tables[2] = write_lines(tmp_path / "tags.txt", ["guitr"])
    assert "the tag 'guitr' is no column of" in _refused(tables, tmp_path / "out")


def test_the_published_counts(material: Path, tmp_path: Path) -> None:
    folder = material / "annotations" / "mtat"
    files = sorted(map(str, folder.glob("musicnn_*")))
    summary = import_mtat(files, "/audio", str(tmp_path / "out"))
    assert (summary.tracks, summary.tags, summary.groups) == (25_863, 50, 230)
    assert summary.splits == {"train": 18_706, "validation": 1_825, "test": 5_329, "none": 3}
    assert summary.label_set == ("mtat-50", 50)
    labels, rows = labels_of(tmp_path / "out"), rows_of(tmp_path / "out")
    assert sum(row["split"] == "test" and clip not in labels for clip, row in rows.items()) == 997


def test_two_published_splits_give_the_same_labels_in_orders_of_their_own(material: Path, tmp_path: Path) -> None:
    folder = material / "annotations" / "mtat"
    index = str(folder / "musicnn_index_mtt.tsv")
    one, other = (sorted(map(str, folder.glob(f"{who}_*"))) for who in ("musicnn", "jongpillee"))
    summary = import_mtat([index, *other], "/audio", str(tmp_path / "other"))
    assert summary.splits == {
        "train": 15_244,
        "validation": 1_529,
        "test": 4_332,
        "none": 25_863 - 15_244 - 1_529 - 4_332,
    }
    import_mtat(one, "/audio", str(tmp_path / "one"))
    assert labels_of(tmp_path / "one") == labels_of(tmp_path / "other")
    assert label_set_tags(tmp_path / "one") != label_set_tags(tmp_path / "other")
    assert "expected one" in _refused([*one, *other], tmp_path / "both")
    numbered = str(folder / "sota_valid.npy")
    again = import_mtat([index, numbered, *other], "/audio", str(tmp_path / "again"))
    assert again.splits == summary.splits
