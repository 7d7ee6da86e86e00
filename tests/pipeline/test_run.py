"""The exit codes and messages of the pipeline's command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import SmallCorpus, write_csv

COMMANDS = (
    "build",
    "split",
    "label",
    "verify",
    "derive",
    "estimate",
    "remove",
    "prune",
    "corpus",
    "import",
    "info",
    "diff",
    "export-records",
)


def _refused(ended: subprocess.CompletedProcess[str], words: str) -> None:
    """Check for exit code 2 and one line on stderr that says what is wrong."""
    assert ended.returncode == 2, ended.stdout + ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("decode: ")]
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("error: ")
    assert words in lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(run_pipeline, command: str) -> None:
    ended = run_pipeline(command, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("track_id,file\n1,a.wav\n", "expected the column uri, found track_id, file"),
        ("id,file\n1,a.wav\n", "expected the columns track_id and uri"),
        ("track_id,uri\n1,a.wav\n2,b.wav\n1,c.wav\n", "such as '1' (line 2 and line 4); remove the duplicates"),
        ("track_id,uri\n", "expected at least one row, found none"),
        ("", "catalog"),
        ("track_id,uri,split\n1,a.wav,dev\n", "split: expected train, validation, test or nothing, received 'dev'"),
    ],
)
def test_a_wrong_catalog_leaves_nothing_behind(run_pipeline, tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / "catalog.csv").write_text(table)
    _refused(run_pipeline("build", "--catalog", tmp_path / "catalog.csv", "--dataset", tmp_path / "data"), words)
    assert not (tmp_path / "data").exists()


def test_a_missing_catalog_and_a_wrong_option_are_refused(run_pipeline, small_corpus, tmp_path: Path) -> None:
    data = tmp_path / "data"
    _refused(run_pipeline("build", "--catalog", tmp_path / "no.csv", "--dataset", data), "no such file")
    for option, value, words in (
        ("--excerpt", "middle", "excerpt: expected full, start:SECONDS or center:SECONDS"),
        ("--families", "mfcc", "--families: expected logmel,waveform"),
        ("--workers", "0", "--workers: expected at least 1, received 0"),
        ("--max-reject-rate", "7", "--max-reject-rate: expected a share from 0 to 1"),
        ("--decoder", "tfio", "--decoder tfio: "),
        ("--colour", "red", "No such option"),
    ):
        _refused(run_pipeline("build", "--catalog", small_corpus.catalog, "--dataset", data, option, value), words)
    assert not data.exists()


def test_a_folder_that_is_something_else_is_refused_and_left_alone(run_pipeline, small_corpus, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    _refused(
        run_pipeline("build", "--catalog", small_corpus.catalog, "--dataset", tmp_path),
        "expected a dataset or an empty folder, found thesis.txt and no dataset.json",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    for command in (
        ["verify"],
        ["split", "--name", "x"],
        ["label", "--annotations", small_corpus.annotations, "--label-set", small_corpus.label_set],
    ):
        _refused(run_pipeline(*command, "--dataset", tmp_path), "expected a dataset, found no dataset.json")


def test_a_missing_file_is_a_reject_and_only_missing_files_are_an_error(
    run_pipeline, small_corpus, tmp_path: Path
) -> None:
    rows = [*small_corpus.rows, ("gone", "audio/gone.wav", "nobody")]
    catalog = small_corpus.catalog_of(tmp_path / "one", tuple(rows))
    built = run_pipeline("build", "--catalog", catalog, "--dataset", tmp_path / "data", "--workers", "1")
    assert built.returncode == 0, built.stderr
    assert f"1 not_found, such as gone: no such file: {tmp_path / 'one' / 'audio' / 'gone.wav'}\n" in built.stdout

    catalog = small_corpus.catalog_of(tmp_path / "all", (("a", "a.wav", "x"), ("b", "b.wav", "y")))
    empty = tmp_path / "empty"
    _refused(
        run_pipeline("build", "--catalog", catalog, "--dataset", empty, "--workers", "1"),
        "2 of 2 tracks were rejected, more than --max-reject-rate 0.05 allows (2 not_found, such as a: no such file: "
        f"{tmp_path / 'all' / 'a.wav'})",
    )
    label = ["label", "--annotations", small_corpus.annotations, "--label-set", small_corpus.label_set]
    _refused(run_pipeline(*label, "--dataset", empty), "its build is unfinished")


def test_ids_tags_and_names_from_outside_are_shown_and_not_obeyed(
    run_pipeline, small_corpus: SmallCorpus, tmp_path: Path
) -> None:
    nasty = "\x1b]0;x\x07\x9b2J\u202e\u2028\x7f"
    tracks = [(f"{track}{nasty}\nforged", uri, group + nasty) for track, uri, group in small_corpus.rows[:8]]
    catalog = small_corpus.catalog_of(tmp_path, (*tracks, (f"gone{nasty}\nforged", f"gone{nasty}.wav", nasty)))
    write_csv(
        tmp_path / "tags.csv",
        ("track_id", "tag"),
        [(track, f"tag\x1b[31m\u202e音楽{len(track) % 2}") for track, _, _ in tracks],
    )
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    data = tmp_path / "data"
    build = ["build", "--catalog", catalog, "--dataset", data, "--workers", "1", "--max-reject-rate"]
    label = ["label", "--annotations", tmp_path / "tags.csv", "--label-set", tmp_path / "mine.yaml", "--dataset", data]
    for command, words in (
        ([*build, "0.01"], r"such as gone\x1b]0;x\x07\x9b2J\u202e\u2028\x7f\nforged: no such file"),
        ([*build, "1"], r"such as gone\x1b]0;x\x07\x9b2J\u202e\u2028\x7f\nforged: no such file"),
        (label, r"tag\x1b[31m\u202e音楽"),
        (["info", "--dataset", data], r"tag\x1b[31m\u202e音楽"),
        (["info", "--dataset", data, "--json"], r"\u009b2J\u202e\u2028\u007f"),
    ):
        ended = run_pipeline(*command)
        said = ended.stdout + ended.stderr
        assert words in said
        assert not set(nasty) & set(said) - set("]0;x2J")
        assert not [line for line in said.splitlines() if line.startswith("forged")]


def test_a_label_set_of_unknown_tags_is_refused(run_pipeline, dataset: Path, small_corpus, tmp_path: Path) -> None:
    (tmp_path / "set.yaml").write_text("name: mine\ntags: [lowish]\n")
    _refused(
        run_pipeline(
            "label",
            "--dataset",
            dataset,
            "--annotations",
            small_corpus.annotations,
            "--label-set",
            tmp_path / "set.yaml",
        ),
        "the tag 'lowish' is in no annotation; did you mean 'low'?",
    )
    assert not (dataset / "labels").exists()


@pytest.mark.slow
def test_options_after_two_dashes_go_to_beam(
    run_pipeline, small_corpus, tmp_path: Path, built_dataset, contents
) -> None:
    built = run_pipeline(
        "build", "--catalog", small_corpus.catalog, "--dataset", tmp_path / "data", "--shards", "4",
        "--", "--runner=FnApiRunner", "--direct_running_mode=multi_threading", "--direct_num_workers=2",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert contents(tmp_path / "data") == contents(built_dataset)
