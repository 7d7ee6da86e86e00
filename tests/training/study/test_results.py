from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from schemas.console.errors import DatasetError
from training.study.figure import write_figures
from training.study.results import (
    BaselineRow,
    RunRow,
    StudyResults,
    read_baseline_row,
    read_run_row,
    results_csv,
    results_json,
    write_row,
)
from training.study.summary import study_report

SHARES = {1 / 16: 60, 1 / 4: 240, 1.0: 960}


def test_no_cell_of_the_table_is_a_formula() -> None:
    row = RunRow("=cmd", 1.0, 960, 0, -0.5, math.nan, 16, 12, 96, 1.5)
    cells = results_csv(StudyResults("mine@1", 240, (row,), ())).decode().splitlines()[1].split(",")
    assert cells == ["'=cmd", "1.0", "960", "0", "-0.5", "", "16", "12", "96", "1.5"]  # a number stays one


def study_results(
    seeds: int = 3, shares: dict[float, int] = SHARES, frontends: str = "spectrogram waveform"
) -> StudyResults:
    """Rows such as a study might find."""
    rng = np.random.default_rng(0)
    runs = [
        RunRow(frontend, share, tracks, seed, *(0.7 + 0.2 * rng.random(2)).tolist(), 16, 12, 96, 1.5)
        for share, tracks in shares.items()
        for seed in range(seeds)
        for frontend in frontends.split()
    ]
    baselines = [
        BaselineRow(kind, share, tracks, tracks, *(0.6 + 0.2 * rng.random(2)).tolist(), 0.5)
        for share, tracks in shares.items()
        for kind in ("logistic", "trees")
    ]
    return StudyResults("mine@0123456789ab", 120, tuple(runs), tuple(baselines))


def test_the_gap_is_the_mean_over_seeds_with_its_t_interval() -> None:
    results = study_results()
    for share in SHARES:
        first, second = (results.values(name, share, "pr_auc") for name in ("spectrogram", "waveform"))
        differences = [first[seed] - second[seed] for seed in range(3)]
        gap = results.gap(share, "pr_auc")
        assert gap is not None
        assert gap.mean == pytest.approx(np.mean(differences))
        expected = ttest_1samp(differences, 0).confidence_interval(0.95)
        assert gap.interval == pytest.approx((expected.low, expected.high))


def test_one_seed_has_a_gap_without_an_interval_and_one_front_end_none() -> None:
    gap = study_results(seeds=1).gap(1.0, "roc_auc")
    assert gap is not None
    assert (gap.interval, gap.seeds) == (None, 1)
    assert study_results(frontends="waveform").gap(1.0, "roc_auc") is None


def test_the_files_hold_a_row_per_training_and_no_nan() -> None:
    results = study_results()
    undefined = StudyResults("mine@0", 5, (RunRow("waveform", 1.0, 9, 0, math.nan, math.nan, 1, 1, 1, 0.1),), ())
    for one in (results, undefined):
        written = json.loads(results_json(one), parse_constant=lambda word: pytest.fail(word))
        rows = list(csv.DictReader(io.StringIO(results_csv(one).decode())))
        assert len(rows) == len(written["runs"]) == len(one.runs)
    assert rows[0]["roc_auc"] == ""
    assert written["runs"][0]["roc_auc"] is None
    rows = list(csv.DictReader(io.StringIO(results_csv(results).decode())))
    assert [float(row["pr_auc"]) for row in rows] == [row.pr_auc for row in results.runs]
    sizes = json.loads(results_json(results))["sizes"]
    assert [size["tracks"] for size in sizes] == list(SHARES.values())
    assert sizes[0]["spectrogram"]["roc_auc"]["seeds"] == 3


def test_a_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    results = study_results()
    assert read_run_row(str(tmp_path), "one") is None
    write_row(str(tmp_path), "one", results.runs[0])
    write_row(str(tmp_path), "two", results.baselines[0])
    assert read_run_row(str(tmp_path), "one") == results.runs[0]
    assert read_baseline_row(str(tmp_path), "two") == results.baselines[0]


@pytest.mark.parametrize(
    "written", [b"", b'{"frontend": "wave', b"[]", b"{}", b'{"more": 1}', b"\xff"], ids=lambda written: repr(written)
)
def test_a_row_that_was_cut_says_which_file_to_remove(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "one.json").write_bytes(written)
    for read in (read_run_row, read_baseline_row):
        with pytest.raises(DatasetError, match=r"one\.json: expected the row of one: .*; remove the file, and one is "):
            read(str(tmp_path), "one")


def test_a_row_whose_number_is_text_says_so(tmp_path: Path) -> None:
    write_row(str(tmp_path), "one", dataclasses.replace(study_results().runs[0], roc_auc="high"))  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="roc_auc: expected float, received 'high'; remove the file"):
        read_run_row(str(tmp_path), "one")


@pytest.mark.parametrize(
    "results",
    [study_results(), study_results(seeds=1, shares={1.0: 960}), study_results(frontends="waveform")],
    ids=["whole", "one training each", "one front-end"],
)
def test_the_figures_are_the_same_bytes_each_time(results: StudyResults, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figures(results, str(tmp_path / folder))
    for name in ("study.png", "study.svg"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
        assert first == second
        assert len(first) > 5000
    assert b"<dc:date>" not in first


def test_what_is_not_defined_is_a_dash_in_the_table() -> None:
    results = study_results()
    nothing = {"roc_auc": math.nan, "pr_auc": math.nan}
    rows = tuple(dataclasses.replace(row, **nothing) for row in results.runs)
    baselines = tuple(dataclasses.replace(row, **nothing) for row in results.baselines)
    lines = study_report(dataclasses.replace(results, runs=rows, baselines=baselines), "study").lines()
    assert lines[2].split() == ["60", "-", "-", "-", "-", "-"]
    assert not any("nan" in line for line in lines)


def test_the_table_has_a_line_per_size_with_the_gap() -> None:
    lines = study_report(study_results(), "study").lines()
    assert [line.split()[0] for line in lines[:-2]] == [
        "ROC-AUC,",
        "tracks",
        "60",
        "240",
        "960",
        "PR-AUC,",
        "tracks",
        "60",
        "240",
        "960",
    ]
    assert "gradient-boosted trees" in lines[1]
    assert "±" in lines[2]
    assert lines[2].endswith("]")
    assert max(map(len, lines)) < 150
