from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.console.errors import UserError
from schemas.console.shown_commands import training_command
from tests.training.report.conftest import WrittenRun
from training.evaluation.evaluate import evaluate
from training.report.page import report_evaluation
from training.run import cli


def test_the_command_says_where_the_page_is_and_what_it_lacks(written_run: WrittenRun) -> None:
    root = str(written_run.epochs([0.5]).root)
    ended = CliRunner().invoke(cli, ["report", "--run", root])
    assert ended.exit_code == 0, ended.output
    assert f"{root}/report.html: " in ended.output
    assert f"next: {training_command('evaluate', '--run', root, '--split', 'test')}" in ended.output
    refused = CliRunner().invoke(cli, ["report", "--run", root, "--split", "validation"])
    assert isinstance(refused.exception, UserError)
    assert "has not been evaluated" in str(refused.exception)


NOT_EVALUATED = "Not evaluated yet"  # from the page that `train` writes


@pytest.fixture
def unevaluated(small_run: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation")))


@pytest.mark.parametrize("split", ["test", "validation"])
def test_evaluate_writes_the_page_again_with_the_evaluation(unevaluated: Path, split: str) -> None:
    page = unevaluated / "report.html"
    assert NOT_EVALUATED in page.read_text()
    ended = CliRunner().invoke(cli, ["evaluate", "--run", str(unevaluated), "--split", split])
    assert ended.exit_code == 0, ended.output
    assert NOT_EVALUATED not in page.read_text()
    assert f"ROC-AUC, macro, {split}" in page.read_text()


def test_an_evaluation_that_no_page_shows_leaves_the_page_alone(unevaluated: Path) -> None:
    page = unevaluated / "report.html"
    page.unlink()
    assert report_evaluation(evaluate(str(unevaluated), "train")) is None
    test = evaluate(str(unevaluated), "test")
    assert report_evaluation(dataclasses.replace(test, name="test-other@0123456789ab")) is None
    assert not page.exists()
    report = report_evaluation(test)
    assert report is not None
    assert (report.uri, report.split) == (str(page), "test")
    assert page.exists()
