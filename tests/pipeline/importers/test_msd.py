from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from pipeline.importers.msd import import_msd
from tests.pipeline.importers.reading import label_set_tags, labels_of, rows_of
from tests.pipeline.importers.refusals import refusal_of
from tests.pipeline.importers.small_publications import MSD_TAGS, write_lines, write_msd_files, write_npy

_refused = partial(refusal_of, import_msd)


def test_ids_pair_with_their_matrix_and_artists_become_groups(tmp_path: Path) -> None:
    summary = import_msd(write_msd_files(tmp_path), "/audio", str(tmp_path / "out"))
    assert summary.splits == {"train": 2, "validation": 1, "test": 1, "none": 0}
    assert labels_of(tmp_path / "out") == {
        "TRAADIN128F931D672": {"rock": 1},
        "TRAADQW128F427CE68": {"female vocalists": 1, "00s": 1},
        "TRYLROL128F931C1A7": {"rock": 1},
        "TRZZEWM128F428BD9A": {"00s": 1},
    }
    rows = rows_of(tmp_path / "out")
    assert rows["TRAADIN128F931D672"]["uri"] == "/audio/TRAADIN128F931D672.mp3"
    assert {row["group"] for row in rows.values()} == {"Björk", "The The", None}
    assert label_set_tags(tmp_path / "out") == MSD_TAGS
    assert [(remark.count, remark.example) for remark in summary.remarks] == [
        (1, "TRBBBBB128F0000000"),
        (1, "TRYLROL128F931C1A7"),
    ]


def test_the_path_pattern_knows_the_folders_of_the_data_set(tmp_path: Path) -> None:
    files = write_msd_files(tmp_path)
    import_msd(files, "gs://bucket", str(tmp_path / "out"), "{a}/{b}/{c}/{id}.h5.wav")
    assert rows_of(tmp_path / "out")["TRAADIN128F931D672"]["uri"] == "gs://bucket/A/A/D/TRAADIN128F931D672.h5.wav"
    for pattern, words in (
        ("{ids}.mp3", "unknown field 'ids'; did you mean 'id'?"),
        ("{a}.mp3", "expected {id} in it"),
        ("{id", "expected fields in braces"),
    ):
        assert words in _refused(files, tmp_path / "no", path_pattern=pattern)


def test_graded_labels_keep_their_value(tmp_path: Path) -> None:
    files = write_msd_files(tmp_path)
    write_npy(tmp_path / "test_y.npy", np.array([[0.25, 0, 1]], np.float32))
    import_msd(files, "/audio", str(tmp_path / "out"))
    assert labels_of(tmp_path / "out")["TRZZEWM128F428BD9A"] == {"rock": 0.25, "00s": 1}


def test_lists_that_do_not_fit_are_named(tmp_path: Path) -> None:
    files = write_msd_files(tmp_path)
    tags, artists, *pairs = files
    ids = str(tmp_path / "test_x_msd_id.txt")
    matrix = str(tmp_path / "test_y.npy")
    assert f"{matrix}: expected a list of its tags" in _refused([ids, matrix], tmp_path / "out")
    assert f"{matrix}: expected an id list of the test side" in _refused([matrix, tags], tmp_path / "out")
    assert "expected an id list" in _refused([tags], tmp_path / "out")
    second = write_lines(tmp_path / "more" / "test_ids.txt", ["TRAADIN128F931D672"])
    assert "expected one id list of the test side, received both" in _refused([*files, second], tmp_path / "out")
    write_lines(tmp_path / "test_x_msd_id.txt", ["TRAADIN128F931D672"])
    assert "track 'TRAADIN128F931D672': split: 'train' and 'test' contradict" in _refused(
        pairs + [tags], tmp_path / "out"
    )
    write_lines(tmp_path / "test_x_msd_id.txt", ["TRZZEWM128F428BD9A", ""] + ["TRAAAAA128F0000000"])
    assert "line 2: expected a track id, received ''" in _refused(files, tmp_path / "out")
    write_lines(tmp_path / "test_x_msd_id.txt", ["TRZZEWM128F428BD9A", "TRAAAAA128F0000000"])
    assert f"{ids} and {matrix}: expected a row for each track, received 2 tracks and 1 rows" in _refused(
        files, tmp_path / "out"
    )
    write_npy(tmp_path / "test_y.npy", np.zeros((2, 4), np.uint8))
    assert f"{tags} and {matrix}: expected a column for each tag, received 3 tags and 4 columns" in _refused(
        files, tmp_path / "out"
    )
    write_npy(tmp_path / "test_y.npy", np.array([[1, 0, 0], [0, 0, 7]], np.uint8))
    assert f"{matrix}: row 2, column 3: expected a label from 0 to 1, received 7" in _refused(files, tmp_path / "out")
    write_npy(tmp_path / "test_y.npy", np.array([{}, {}], object))
    assert "received pickled Python objects" in _refused(files, tmp_path / "out")
    write_npy(tmp_path / "test_y.npy", np.zeros(3))
    assert "not in a format that the Million Song Dataset is published in" in _refused(files, tmp_path / "out")
    write_lines(Path(artists), ["TRAADIN128F931D672<SEP>SO<SEP>Björk<SEP>x", "TRAADQW128F427CE68<SEP>SO<SEP>x"])
    assert "line 2: expected track, song, artist and title" in _refused([tags, artists, *pairs[:2]], tmp_path / "out")
    assert "no such file" in _refused([str(tmp_path / "absent.txt")], tmp_path / "out")
    assert "cannot be read: Is a directory" in _refused([str(tmp_path)], tmp_path / "out")


def test_the_published_counts(material: Path, tmp_path: Path) -> None:
    folder = material / "annotations" / "msd"
    summary = import_msd(sorted(map(str, folder.iterdir())), "/audio", str(tmp_path / "out"))
    assert (summary.tracks, summary.tags, summary.label_set) == (12_634 + 28_540, 50, ("msd-50", 50))
    assert summary.splits == {"train": 0, "validation": 12_634, "test": 28_540, "none": 0}
    matrices = [np.load(folder / f"keunwoochoi_{side}_y.npy") for side in ("valid", "test")]
    assert summary.annotations == sum(int(matrix.sum()) for matrix in matrices)
    assert label_set_tags(tmp_path / "out") == tuple((folder / "50tagList.txt").read_text().splitlines())
