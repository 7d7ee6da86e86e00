from __future__ import annotations

import json
from pathlib import Path

from pipeline.info.overview import info
from pipeline.info.summary import info_fields, info_report
from schemas.console.shown_commands import pipeline_command
from schemas.tables import SPLITS


def test_the_command_prints_what_is_there_and_what_to_look_at(dataset: Path, small_corpus, lay, run_pipeline) -> None:
    rows = [(row[0], ("vocal", "vocals")[number % 2], 1) for number, row in enumerate(small_corpus.rows[:9])]
    version = lay("name: mine\n", rows).version
    page = dataset.parent / "page.html"
    ended = run_pipeline("info", "--dataset", dataset, "--html", page)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].startswith(f"{dataset}: 24 tracks, 24 stored")
    assert f"            {version}: 2 tags, 24 tracks, binary, split" in ended.stdout
    assert "  look at   1 tag looks like another one: vocals with vocal" in lines
    assert "        vocal: [vocals]" in lines
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_json_holds_all_of_it(dataset: Path, lay) -> None:
    lay("name: mine\nvalues: graded\n")
    overview = info(str(dataset))
    fields = json.loads(json.dumps(info_fields(overview)))
    (labels,) = fields["labels"]
    assert fields["dataset"]["records"] == 24
    assert [tag["tag"] for tag in labels["tags"]] == [tag.tag for tag in overview.labels[0].tags]
    assert set(labels["tags"][0]["positives"]) == set(SPLITS)
    assert len(labels["tags"][0]["histogram"]) == 10
    assert labels["synonyms"]["merge"] == {}
    assert labels["findings"]


def test_graded_values_and_long_vocabularies_fit_on_the_terminal(dataset: Path, small_corpus, lay) -> None:
    track = small_corpus.rows[0][0]
    rows = [(track, f"tag {chr(97 + number // 26)}{chr(97 + number % 26)}", 0.95) for number in range(40)]
    lay("name: mine\nvalues: graded\n", rows)
    out = str(info_report(info(str(dataset))))
    assert "… and 10 more with --html FILE or --json" in out
    assert "         █" in out  # nine empty bins, and the last


def test_a_dataset_without_label_sets_says_what_to_type_next(dataset: Path) -> None:
    last = info_report(info(str(dataset))).lines()[-1]
    assert last.startswith(f"next: {pipeline_command('label', '--dataset', str(dataset))}")


def test_a_wrong_name_is_one_line(dataset: Path, lay, run_pipeline) -> None:
    lay("name: mine\n")
    ended = run_pipeline("info", "--dataset", dataset, "--label-set", "mein")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "there are mine; did you mean 'mine'?" in ended.stderr
