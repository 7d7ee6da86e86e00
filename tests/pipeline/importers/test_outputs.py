"""Every import writes the same bytes for any order of files, and outputs that the next commands accept."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.importers.jamendo import import_jamendo
from pipeline.importers.magnatagatune import import_mtat
from pipeline.importers.msd import import_msd
from pipeline.importers.outputs import ImportSummary
from pipeline.importers.table import import_table
from pipeline.labels.overlay import lay_labels
from schemas.console.errors import UserError
from tests.conftest import SmallCorpus
from tests.pipeline.importers.reading import labels_of, rows_of
from tests.pipeline.importers.small_publications import (
    write_jamendo_files,
    write_lines,
    write_msd_files,
    write_mtat_files,
)


def _own(folder: Path) -> list[str]:
    return [
        write_lines(folder / "meta.csv", ["ID,PATH,x,b", "2,b.mp3,1,", "1,a.mp3,2,q"]),
        write_lines(folder / "tags.csv", ["ID,T,a", "1,rock,3", "2,pop,4"]),
        write_lines(folder / "more.csv", ["ID,T", "2,rock", "1,rock"]),
    ]


def _import_own(files: list[str], audio_root: str, out: str) -> ImportSummary:
    return import_table(files, audio_root, out, {"track_id": "ID", "uri": "PATH", "tag": "T"})


PUBLICATIONS = pytest.mark.parametrize(
    ("write", "run"),
    [
        (write_jamendo_files, import_jamendo),
        (write_mtat_files, import_mtat),
        (write_msd_files, import_msd),
        (_own, _import_own),
    ],
)
Write = Callable[[Path], list[str]]
Run = Callable[[list[str], str, str], ImportSummary]


@PUBLICATIONS
def test_the_order_of_the_files_does_not_matter(
    tmp_path: Path, contents: Callable[..., dict[str, str]], write: Write, run: Run
) -> None:
    files = write(tmp_path / "published")
    summaries = {
        run(order, "/audio", str(tmp_path / name)).remarks
        for name, order in (("a", files), ("b", files[::-1]), ("c", files[1:] + files[:1]), ("d", files + files))
    }
    assert len(summaries) == 1
    assert len({tuple(contents(tmp_path / name).items()) for name in "abcd"}) == 1
    assert len(contents(tmp_path / "a")) == 2 + (tmp_path / "a" / "label_set.yaml").exists()


@PUBLICATIONS
def test_uris_are_below_the_audio_root_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, run: Run
) -> None:
    files = write(tmp_path / "published")
    monkeypatch.chdir(tmp_path)
    for number, (root, expected) in enumerate(
        (
            ("gs://bucket/audio/", "gs://bucket/audio/"),
            ("music", f"{tmp_path}/music/"),
            (f"file://{tmp_path}", f"{tmp_path}/"),
        )
    ):
        run(files, root, str(tmp_path / str(number)))
        for row in rows_of(tmp_path / str(number)).values():
            assert row["uri"].startswith(expected)
            assert "//" not in row["uri"].removeprefix("gs://")


def test_a_folder_that_is_a_file_is_refused_and_an_earlier_label_set_is_reported(tmp_path: Path) -> None:
    files = write_jamendo_files(tmp_path / "published")
    with pytest.raises(UserError, match="expected a folder, found a file"):
        import_jamendo(files, "/audio", files[0])
    import_jamendo(files, "/audio", str(tmp_path / "out"))
    summary = import_jamendo(files[:4], "/audio", str(tmp_path / "out"))
    assert summary.remarks[-1].example == str(tmp_path / "out" / "label_set.yaml")


def test_the_printed_commands_build_and_label_what_was_imported(
    small_corpus: SmallCorpus, run_pipeline, tmp_path: Path
) -> None:
    audio = sorted((small_corpus.folder / "audio").rglob("*.mp3"))
    tracks = [f"track_{number}" for number in range(len(audio))]
    header = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
    rows = [
        f"{track}\tartist_{number}\talbum\t{path.relative_to(small_corpus.folder)}\t3.0\tgenre---été\tgenre---a|b"
        for number, (track, path) in enumerate(zip(tracks, audio, strict=True))
    ]
    files = [
        write_lines(tmp_path / "all.tsv", [header, *rows]),
        write_lines(tmp_path / "x-train.tsv", [header, *rows[:2]]),
        write_lines(tmp_path / "x-test.tsv", [header, *rows[2:]]),
        write_lines(tmp_path / "tags.txt", ["genre---été", "genre---a|b"]),
    ]
    out, data = tmp_path / "my out", tmp_path / "my data"
    ended = run_pipeline("import", "jamendo", *files, "--audio-root", small_corpus.folder, "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(
        f"{out}: 3 tracks, 6 annotations, 2 tags, 3 groups\n  split: 2 train, 0 validation, 1 test;"
    )
    commands = [line.split(": ", 1)[1] for line in ended.stdout.splitlines() if line.startswith(("next: ", "then: "))]
    assert len(commands) == 2
    for command in commands:  # as a user would paste them
        pasted = command.replace("DATASET", shlex.quote(str(data)))
        ended = subprocess.run(pasted, shell=True, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 0, f"{pasted}\n{ended.stderr}"
    assert "x-train" not in ended.stdout
    summary = lay_labels(str(data), [str(out / "annotations.parquet")], str(out / "label_set.yaml"))
    assert summary.is_new is False
    assert summary.vocabulary == ("genre---été", "genre---a|b")
    assert summary.tracks == {"train": 2, "validation": 0, "test": 1}


def test_the_tables_have_the_columns_that_the_schemas_name(tmp_path: Path) -> None:
    import_msd(write_msd_files(tmp_path / "published"), "/audio", str(tmp_path / "out"))
    names = pq.read_schema(tmp_path / "out" / "catalog.parquet").names
    assert names == ["track_id", "uri", "group", "split", "duration"]
    assert list(labels_of(tmp_path / "out")) == sorted(labels_of(tmp_path / "out"))


def test_the_command_refuses_in_one_line(run_pipeline, tmp_path: Path) -> None:
    write_lines(tmp_path / "x.csv", ["a,b", "1,2"])
    for words, arguments in (
        ("not in a format that MTG-Jamendo is published in", ("jamendo", tmp_path / "x.csv")),
        ("expected the column A", ("table", tmp_path / "x.csv", "--column", "track_id=A", "--column", "uri=b")),
        ("expected fields in braces", ("msd", *write_msd_files(tmp_path), "--path-pattern", "{")),
        ("Missing argument 'FILES...'", ("mtat",)),
    ):
        ended = run_pipeline("import", *arguments, "--audio-root", "/audio", "--out", tmp_path / "out")
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert words in ended.stderr
        assert ended.stderr.startswith("error: ")
        assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
