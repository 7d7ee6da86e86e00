from __future__ import annotations

import dataclasses
import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import DEFAULT_SPLIT, make_split
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from schemas.storage.checksums import with_checksum
from tests.training.conftest import TAGS, SmallDataset
from tests.warm_commands import run_warm
from training.comparison import compare as compare_module
from training.comparison.compare import compare
from training.comparison.result import Comparison, Difference, comparison_json, gate_of
from training.comparison.summary import comparison_report
from training.data.label_mapping import map_labels
from training.evaluation.split_scores import score_split
from training.evaluation.stored_scores import StoredScores, read_stored_scores
from training.metrics.intervals import LEAST_GROUPS
from training.run import cli
from training.runs.trained import open_run

ROOT = Path(__file__).parents[3]
Scored = Callable[[str, Callable[[StoredScores, np.random.Generator], np.ndarray]], str]


@pytest.fixture(scope="module")
def scored(small_run: str, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Returns a function that copies the small run and replaces its scores of the training split."""
    run = open_run(small_run)
    folder = tmp_path_factory.mktemp("scored")
    stored = score_split(
        dataclasses.replace(run, folder=dataclasses.replace(run.folder, root=str(folder))),
        map_labels(run.labels, run.labels),
        "train",
    ).stored

    def make(name: str, scores: Callable[[StoredScores, np.random.Generator], np.ndarray]) -> str:
        target = folder / name
        shutil.copytree(small_run, target)
        values = scores(stored, np.random.default_rng(len(name))).astype(np.float32)
        dataclasses.replace(stored, scores=values).write(str(target / "evaluation" / "train_scores.parquet"))
        return str(target)

    return make


def _noisy(by: float) -> Callable[[StoredScores, np.random.Generator], np.ndarray]:
    return lambda stored, rng: stored.targets + rng.normal(scale=by, size=stored.targets.shape)


@pytest.fixture(scope="module")
def good(scored: Scored) -> str:
    return scored("good", _noisy(0.3))


@pytest.fixture(scope="module")
def bad(scored: Scored) -> str:
    return scored("a bad one", _noisy(3.0))


def test_a_run_against_itself_differs_by_nothing_and_passes_the_strictest_gate(good: str) -> None:
    result = compare(good, good, "train")
    for one in result.macro.values():
        assert (one.value, one.interval, one.p) == (0.0, (0.0, 0.0), 1.0)
    assert gate_of(result, "pr_auc", 0.0).passed


def test_differences_are_those_of_both_runs_without_the_same_groups(good: str, bad: str) -> None:
    result = compare(good, bad, "train")
    a, b = (read_stored_scores(f"{run}/evaluation/train_scores.parquet") for run in (good, bad))
    artist = {f"track-{number:02d}": number // 2 for number in range(36)}
    groups = [artist[track] for track in a.track_ids]
    names = list(dict.fromkeys(groups))
    assert (result.tracks, result.groups) == (len(a.track_ids), len(names))
    assert len(names) >= LEAST_GROUPS
    without = []
    for name in names:
        rows = np.flatnonzero(np.array([group != name for group in groups]))
        without.append([_roc_auc(a, b, rows, tag) for tag in range(len(TAGS))])
    for tag, one in enumerate(result.per_tag):
        assert one.roc_auc.a == pytest.approx(roc_auc_score(a.targets[:, tag], a.scores[:, tag]))
        assert one.roc_auc.value == pytest.approx(one.roc_auc.b - one.roc_auc.a)
    means = np.nanmean(without, axis=1)
    half = t.ppf(0.975, len(names) - 1) * np.sqrt((len(names) - 1) * means.var())
    low, high = result.macro["roc_auc"].interval
    assert (high + low) / 2 == pytest.approx(result.macro["roc_auc"].value)
    assert (high - low) / 2 == pytest.approx(half)


def _roc_auc(a: StoredScores, b: StoredScores, rows: np.ndarray, tag: int) -> float:
    """The difference of ROC-AUC on some rows; NaN if all or none of them have the tag."""
    target = a.targets[rows, tag]
    if target.min() == target.max():
        return math.nan
    return float(roc_auc_score(target, b.scores[rows, tag]) - roc_auc_score(target, a.scores[rows, tag]))


def test_the_file_holds_every_tag_and_no_nan_and_lies_with_the_second_run(good: str, bad: str) -> None:
    result = compare(good, bad, "train")
    assert Path(result.uri).parent == Path(bad, "evaluation")
    assert Path(result.uri).name.startswith("compare-good-")
    assert result.uri.endswith("-train.json")
    fields = json.loads(json.dumps(comparison_json(result, None), allow_nan=False))
    assert [one["tag"] for one in fields["per_tag"]] == list(TAGS)
    assert fields["macro"]["pr_auc"]["interval"][1] < 0 < fields["macro"]["pr_auc"]["p"] < 0.05
    assert fields["gate"] is None
    words = str(comparison_report(result, "pr_auc", None))
    assert all(f"    {tag} " in words for tag in TAGS)
    assert result.uri in words


@pytest.mark.parametrize("groups", [1, 2, LEAST_GROUPS - 1])
def test_a_few_groups_have_no_interval_and_the_gate_stays_shut(
    good: str, bad: str, groups: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare_module, "score_split", _first_tracks(good, 2 * groups))
    result = compare(bad, good, "train")
    assert (result.tracks, result.groups) == (2 * groups, groups)
    fields = json.loads(json.dumps(comparison_json(result, gate_of(result, "pr_auc", 0.5)), allow_nan=False))
    for one in (*fields["macro"].values(), *(tag["pr_auc"] for tag in fields["per_tag"])):
        assert (one["interval"], one["p"]) == ([None, None], None)
    assert fields["gate"] == {"max_regression": 0.5, "metric": "pr_auc", "passed": False, "proven": False}
    words = str(comparison_report(result, "pr_auc", gate_of(result, "pr_auc", 0.5)))
    said = f"{groups} group{'s' * (groups > 1)} (artists) {'are' if groups > 1 else 'is'} not enough for an interval"
    assert words.splitlines()[-1].startswith(f"failed: {said}")
    assert f"  {said}" in str(comparison_report(result, "pr_auc", None))
    assert " p " not in words
    shut = CliRunner().invoke(cli, ["compare", bad, good, "--split", "train", "--max-regression", "0.5"])
    assert shut.exit_code == 3, shut.output


def test_an_undefined_tag_is_listed(good: str, bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "score_split", _first_tracks(good, 1))
    result = compare(good, bad, "train")
    assert result.undefined == TAGS
    words = str(comparison_report(result, "pr_auc", gate_of(result, "pr_auc", 0.5)))
    assert f"without a negative: {', '.join(TAGS)}" in words
    assert words.splitlines()[-1] == "failed: no tag has both a positive and a negative track"


def _first_tracks(run: str, count: int) -> Callable[..., object]:
    """A replacement for `score_split` that returns only the scores of the first groups' tracks."""
    ids = sorted(read_stored_scores(f"{run}/evaluation/train_scores.parquet").track_ids)[:count]

    def few(run: object, mapping: object, split: str, **options: object) -> object:
        whole = score_split(run, mapping, split, **options)  # type: ignore[arg-type]
        stored = whole.stored
        rows = [stored.track_ids.index(track) for track in ids]
        kept = dataclasses.replace(
            stored, track_ids=tuple(ids), targets=stored.targets[rows], scores=stored.scores[rows]
        )
        return dataclasses.replace(whole, stored=kept)

    return few


@pytest.mark.parametrize(
    ("interval", "passed", "proven"),
    [
        ((-0.009, 0.02), True, False),
        ((-0.011, 0.02), False, False),
        ((-0.05, -0.011), False, True),
        ((0.1, 0.2), True, False),
    ],
)
def test_the_gate_opens_only_where_the_interval_excludes_the_regression(
    good: str, interval: tuple[float, float], passed: bool, proven: bool
) -> None:
    result = _with_macro(compare(good, good, "train"), Difference(0.5, 0.5, 0.0, interval, 0.5))
    gate = gate_of(result, "pr_auc", 0.01)
    assert (gate.passed, gate.is_proven) == (passed, proven)
    assert str(comparison_report(result, "pr_auc", gate)).splitlines()[-1].startswith("passed" if passed else "failed")
    with pytest.raises(UserError, match="--max-regression: expected 0 to 1, received -0.1"):
        gate_of(result, "pr_auc", -0.1)


def _with_macro(result: Comparison, one: Difference) -> Comparison:
    return dataclasses.replace(result, macro={"pr_auc": one, "roc_auc": one})


@pytest.mark.slow
def test_runs_of_other_datasets_and_splits_meet_on_the_tracks_that_are_new_to_both(
    small_dataset: SmallDataset, small_run: str, tmp_path: Path
) -> None:
    # The first run's dataset holds 24 of the 36 tracks; its split has another salt, so it was trained on test tracks.
    for path in small_dataset.folder.glob("*.wav"):
        (tmp_path / path.name).symlink_to(path)
    rows = (small_dataset.folder / "catalog.csv").read_text().splitlines()[:25]
    (tmp_path / "catalog.csv").write_text("\n".join([*rows, ""]))
    held = {row.split(",")[0] for row in rows[1:]}
    annotations = (small_dataset.folder / "annotations.csv").read_text().splitlines()
    kept = [line for line in annotations if line.split(",")[0] in {"track_id", *held}]
    (tmp_path / "annotations.csv").write_text("\n".join([*kept, ""]))
    (tmp_path / "own.yaml").write_text(f"name: own\ntags: [{', '.join(TAGS)}]\n")
    root = str(tmp_path / "data")
    build(str(tmp_path / "catalog.csv"), root, BuildOptions(workers=1, shards=6))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod((40, 20, 40), salt="c"))
    laid = lay_labels(root, [str(tmp_path / "annotations.csv")], str(tmp_path / "own.yaml"))
    first = Path(shutil.copytree(small_run, tmp_path / "first"))
    config = json.loads((first / "config.json").read_text())
    changed = {**config, "dataset": root, "label_set": f"{laid.name}@{laid.version}"}
    (first / "config.json").write_text(json.dumps(with_checksum(changed)))

    second = str(shutil.copytree(small_run, tmp_path / "second"))
    result = compare(str(first), second, "test")
    own = open_labels(Dataset.open(root), "own").table.to_pylist()
    asked = open_labels(Dataset.open(small_dataset.root), "small").table.to_pylist()
    tests = {row["track_id"] for row in asked if row["split"] == "test"}
    seen = {row["track_id"] for row in own if row["split"] != "test"}
    assert result.labels.manifest.name == "small"
    assert result.split_tracks == len(tests)
    assert result.run_a.absent == len(tests - held) > 0
    assert result.run_a.seen == len(tests & held & seen) > 0
    assert result.tracks == len((tests & held) - seen) > 0
    assert (result.run_b.absent, result.run_b.seen, result.tags) == (0, 0, TAGS)
    words = str(comparison_report(result, "roc_auc", None))
    assert f"{result.run_a.absent:,} tracks were left out for {first}: its dataset does not hold them" in words
    assert f"{result.run_a.seen:,} tracks were left out for {first}: it was trained or chosen by them" in words


@pytest.mark.slow
def test_a_release_gate_reads_the_exit_code_and_the_file(good: str, bad: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_warm([ROOT / "training" / "run.py", "compare", *arguments, "--split", "train"])

    better = run(bad, good, "--max-regression", "0.01", "--json")
    assert better.returncode == 0, better.stderr
    fields = json.loads(better.stdout)
    assert fields["gate"] == {"max_regression": 0.01, "metric": "pr_auc", "passed": True, "proven": False}
    (written,) = Path(good, "evaluation").glob("compare-a bad one-*-train.json")
    assert json.loads(written.read_text()) == fields
    worse = run(good, bad, "--max-regression", "0.01", "--metric", "roc_auc")
    assert worse.returncode == 3, worse.stderr
    assert "failed: " in worse.stdout.splitlines()[-1]
    refused = run(good, bad, "--max-regression", "2")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
