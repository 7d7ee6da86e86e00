from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.console.errors import DatasetError, UserError
from schemas.features import features_name
from tests import html_reader
from tests.training.conftest import TAGS, SmallDataset
from tests.training.report.conftest import WrittenRun
from training.config_sources import resolve_config
from training.report.page import write_report
from training.runs.run_folder import RunFolder

NASTY = "<script>alert('x')</script> & \"quoted\""


class Reader(html_reader.Reader):
    """A reader that also accepts SVG's self-closing elements."""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs


def _page(run: WrittenRun, split: str | None = None) -> str:
    write_report(str(run.root), split)
    return (run.root / "report.html").read_text()


def _rows(tags: list[str], tracks: int, **columns: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "tag": tag,
            "positives": 10 - number,
            "tracks": tracks,
            "roc_auc": 0.5 + number / 20,
            "pr_auc": 0.3 + number / 20,
        }
        | {name: values[number] for name, values in columns.items()}
        for number, tag in enumerate(tags)
    ]


@pytest.fixture
def full_run(written_run: WrittenRun) -> WrittenRun:
    """A run with everything that can be drawn, with malicious names and graded or unknown targets."""
    tags = [NASTY, "b", "c", "d"]
    rng = np.random.default_rng(0)
    targets = rng.random((40, 4)).astype(np.float32)
    targets[:, 1] = targets[:, 0]
    targets[3, 2] = np.nan
    written_run.epochs(
        [0.5, 0.4, 0.45],
        validation_roc_auc=[0.6, 0.7, float("nan")],
        validation_pr_auc=[0.3, 0.4, 0.35],
        examples_per_second=[90.0, 110.0, 100.0],
        input_wait=[0.02, 0.01, 0.03],
    )
    rows = _rows(
        tags, 40, threshold=[0.5] * 4, f1=[0.4, 0.5, 0.6, ""], baseline_roc_auc=[0.6] * 4, baseline_pr_auc=[0.31] * 4
    )
    written_run.evaluation(
        "test",
        rows,
        epoch=2,
        baseline_roc_auc_macro=0.7,
        baseline_pr_auc_macro=0.2,
        sqrt_mse=0.123,
        tags_undefined=[NASTY],
    )
    ids = [f"{NASTY}-{number}" for number in range(40)]
    return written_run.scores("test", tags, targets, rng.random((40, 4)), track_ids=ids)


def test_names_of_users_are_text_and_never_elements(full_run: WrittenRun) -> None:
    reader = Reader(_page(full_run))
    assert "script" not in reader.elements
    assert NASTY in reader.texts
    assert any(one.startswith(f"{NASTY}-") for one in reader.texts)


def test_the_page_is_whole_and_needs_nothing_else(full_run: WrittenRun) -> None:
    page = _page(full_run)
    reader = Reader(page)
    assert reader.elements[0] == "html"
    assert not {"link", "img", "iframe", "object"} & set(reader.elements)
    assert all(value and value.startswith("#") for name, value in reader.attributes if name in ("src", "href"))
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    ids = {value for name, value in reader.attributes if name == "id"}
    links = {(value or "")[1:] for name, value in reader.attributes if name == "href"}
    assert links == ids == {"curves", "tags", "examples", "confusion", "throughput", "configuration", "repeat"}


def test_the_same_files_give_the_same_bytes(full_run: WrittenRun) -> None:
    assert _page(full_run) == _page(full_run)


def test_the_headline_shows_the_model_beside_its_baseline(full_run: WrittenRun) -> None:
    texts = [one.strip() for one in Reader(_page(full_run)).texts]
    for figure in ("0.8125", "0.4375", "0.7000", "0.2000", "0.1230", "0.7500 to 0.8750", "logistic regression"):
        assert figure in texts


def test_the_best_epoch_is_marked_by_the_runs_own_criterion(full_run: WrittenRun) -> None:
    assert "the dashed line marks the best epoch, 2." in _page(full_run)
    full_run.config(select_by="pr_auc").epochs([0.5, 0.4, 0.45], validation_pr_auc=[0.3, 0.2, 0.9])
    page = _page(full_run)
    assert "the dashed line marks the best epoch, 3." in page
    assert "Epoch 2 was evaluated, and epoch 3 is now the best" in page


def test_tags_are_sorted_and_those_without_a_metric_come_last(written_run: WrittenRun) -> None:
    rows = _rows(["low", "none", "high", "middle"], 20)
    for row, value in zip(rows, (0.1, "", 0.9, 0.5), strict=True):
        row["pr_auc"] = value
    texts = Reader(_page(written_run.epochs([0.5]).evaluation("test", rows))).texts
    places = [texts.index(tag) for tag in ("high", "middle", "low", "none")]
    assert places == sorted(places)


def test_examples_are_the_surest_hits_the_worst_misses_and_the_surest_false_alarms(written_run: WrittenRun) -> None:
    targets = np.array([[1, 1, 1, 0, 0, 0, np.nan]], np.float32).T
    scores = np.array([[0.91, 0.02, 0.51, 0.97, 0.03, 0.53, 0.99]], np.float32).T
    written_run.epochs([0.5]).evaluation("validation", _rows(["only"], 7)).scores(
        "validation", ["only"], targets, scores
    )
    texts = Reader(_page(written_run)).texts
    assert "track-6" not in texts  # its label is unknown
    ends = [texts.index(title) for title in ("not labelled", "missed", "hits")]
    ids = [
        [one for one in texts[start:end] if one.startswith("track-")]
        for start, end in zip(ends, [*ends[1:], None], strict=True)
    ]
    assert ids == [
        ["track-3", "track-5", "track-4"],
        ["track-1", "track-2", "track-0"],
        ["track-0", "track-2", "track-1"],
    ]


def test_before_an_evaluation_the_page_shows_the_validations_and_says_what_to_run(written_run: WrittenRun) -> None:
    page = _page(written_run.epochs([0.5, 0.4], validation_roc_auc=[0.6, 0.71], validation_pr_auc=[0.3, 0.4]))
    assert "0.7100" in Reader(page).texts
    assert f"python training/run.py evaluate --run {written_run.root} --split test" in page


def test_before_the_first_epoch_there_is_a_page_too(written_run: WrittenRun) -> None:
    assert "No epoch has been finished yet." in _page(written_run)


@pytest.mark.parametrize("other", ["none", "tracks", "checkpoint"])
def test_scores_of_another_evaluation_are_left_out_and_the_page_says_so(written_run: WrittenRun, other: str) -> None:
    written_run.epochs([0.5]).evaluation("test", _rows(["a", "b"], 30), checkpoint="abc")
    if other != "none":
        values = np.ones((29 if other == "tracks" else 30, 2))
        written_run.scores("test", ["a", "b"], values, values, checkpoint="xyz" if other == "checkpoint" else "abc")
    report = write_report(str(written_run.root))
    page = Path(report.uri).read_text()
    assert not report.has_tracks
    assert "need the scores of single tracks; evaluate again" in page
    assert 'id="confusion"' not in page


def test_the_test_split_is_shown_first_and_another_on_request(written_run: WrittenRun) -> None:
    written_run.epochs([0.5]).evaluation("validation", _rows(["a"], 30), roc_auc_macro=0.1234)
    assert "0.1234" in _page(written_run)
    written_run.evaluation("test", _rows(["a"], 30), roc_auc_macro=0.4321)
    assert "0.4321" in _page(written_run)
    assert "0.1234" in _page(written_run, "validation")
    with pytest.raises(UserError, match="its test split has not been evaluated; run `.*training/run.py evaluate"):
        (written_run.root / "evaluation" / "test.json").unlink()
        write_report(str(written_run.root), "test")


def test_the_commands_repeat_the_run_and_its_evaluation(full_run: WrittenRun, tmp_path: Path) -> None:
    odd = WrittenRun(tmp_path / "it's a run")
    full_run.root.rename(odd.root)
    texts = Reader(_page(odd)).texts
    (commands,) = [one.splitlines() for one in texts if one.startswith("python training/run.py train")]
    train, evaluate = map(shlex.split, commands)
    assert resolve_config(train[train.index("--config") + 1], {}) == RunFolder(str(odd.root)).read_config()
    assert evaluate[2:] == [
        "evaluate",
        "--run",
        train[train.index("--out") + 1],
        "--split",
        "test",
        "--baseline",
        "logistic",
    ]


def test_the_configuration_is_shown_with_what_it_was_trained_by(written_run: WrittenRun) -> None:
    (written_run.root / "environment.json").write_text(json.dumps({"keras": "3.15.0", "threads": 2}))
    texts = Reader(_page(written_run)).texts
    for name, value in (("environment.keras", "3.15.0"), ("environment.threads", "2"), ("batch_size", "32")):
        assert texts[texts.index(name) + 1] == value


def test_positives_of_each_split_are_those_of_the_label_version(
    written_run: WrittenRun, small_dataset: SmallDataset
) -> None:
    from schemas.dataset import Dataset
    from schemas.label_version import open_labels

    written_run.config(dataset=small_dataset.root, label_set="small").epochs([0.5])
    rows = open_labels(Dataset.open(small_dataset.root), "small").table.to_pylist()
    texts = Reader(_page(written_run)).texts
    for number, tag in enumerate(TAGS):
        expected = [
            sum(number in row["tags"] for row in rows if row["split"] == split)
            for split in ("train", "validation", "test")
        ]
        cells = [one for one in texts[texts.index(tag) + 1 :] if one.strip()]
        assert cells[:3] == [str(count) for count in expected]


def test_a_run_on_a_share_of_the_split_shows_what_it_was_trained_on(
    written_run: WrittenRun, small_dataset: SmallDataset
) -> None:
    from schemas.dataset import Dataset
    from schemas.label_version import open_labels
    from training.data.labels import labelled_tracks

    dataset = Dataset.open(small_dataset.root)
    spec = dataset.spec("logmel")
    config = {"dataset": small_dataset.root, "label_set": "small", "features": features_name(spec)}
    written_run.config(train_share=0.5, **config).epochs([0.5])
    share = labelled_tracks(dataset, open_labels(dataset, "small"), spec, "train", share=0.5)
    texts = Reader(_page(written_run)).texts
    assert str(len(share)) in texts
    assert texts[texts.index(TAGS[0]) + 1 :][0] == str(int(share.targets[:, 0].sum()))


def test_a_dataset_that_is_gone_is_reported_and_no_error(written_run: WrittenRun) -> None:
    assert "expected a dataset, found no dataset.json" in _page(written_run.epochs([0.5]))


def test_what_is_no_run_or_damaged_is_refused_by_name(written_run: WrittenRun, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a run, found no config\.json"):
        write_report(str(tmp_path / "nothing"))
    written_run.epochs([0.5]).evaluation("test", _rows(["a"], 30))
    (written_run.root / "evaluation" / "test_per_tag.csv").write_text("tag,positives\na,7\n")
    with pytest.raises(DatasetError, match=r"test_per_tag\.csv: not a table per tag"):
        write_report(str(written_run.root))
    (written_run.root / "metrics.jsonl").write_text("{")
    with pytest.raises(DatasetError, match=r"metrics\.jsonl: expected a JSON object a line"):
        (written_run.root / "evaluation" / "test_per_tag.csv").unlink()
        write_report(str(written_run.root))


def test_ids_of_any_length_leave_the_page_small(written_run: WrittenRun) -> None:
    written_run.epochs([0.5]).evaluation("test", _rows(["a"], 30))
    ids = [f"{number}" + "x" * 100_000 for number in range(30)]
    written_run.scores("test", ["a"], np.tile([[0.0], [1.0]], (15, 1)), np.ones((30, 1)), track_ids=ids)
    assert len(_page(written_run)) < 50_000
