"""If a bit flips in any kind of file of a run, the file's reader refuses it by name or reads the same value."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from schemas.console.errors import UserError
from tests.flipped_bits import flipped, refusal
from training.config_sources import resolve_config
from training.devices.environment import differences, environment
from training.evaluation.evaluate import evaluate
from training.evaluation.stored_scores import read_stored_scores
from training.report.run_facts import read_facts
from training.runs.checkpoints import BEST_NAME, Checkpoints, LoopState
from training.runs.metrics_log import MetricsLog
from training.runs.run_folder import RunFolder

FLIPS = 40


@pytest.fixture(scope="module")
def evaluated(small_run: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an evaluation; tests damage its files and restore them."""
    run = Path(shutil.copytree(small_run, tmp_path_factory.mktemp("rotten") / "run"))
    evaluate(str(run), "test")
    return run


@pytest.fixture
def run(evaluated: Path) -> Iterator[Path]:
    before = {path: path.read_bytes() for path in evaluated.rglob("*") if path.is_file()}
    yield evaluated
    for path, data in before.items():
        path.write_bytes(data)


def _scores(path: Path) -> tuple[Any, ...]:
    stored = read_stored_scores(str(path))
    return stored.of, stored.track_ids, stored.targets.tolist(), stored.scores.tolist()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("config.json", lambda run: RunFolder(str(run)).read_config()),
        ("metrics.jsonl", lambda run: MetricsLog(str(run)).read()),
        ("metrics.sha256", lambda run: MetricsLog(str(run)).read()),
        ("environment.json", lambda run: read_facts(str(run)).environment),
        ("evaluation/test.json", lambda run: read_facts(str(run)).evaluation),
        ("evaluation/test_per_tag.csv", lambda run: read_facts(str(run)).tags),
        ("evaluation/test_scores.parquet", lambda run: _scores(run / "evaluation" / "test_scores.parquet")),
    ],
)
def test_a_flipped_bit_is_refused_by_the_reader(name: str, read: Callable[[Path], Any], run: Path) -> None:
    path = run / name
    data, expected = path.read_bytes(), repr(read(run))  # by repr, since NaN != NaN
    refused = 0
    for damaged in flipped(data, FLIPS):
        path.write_bytes(damaged)
        said = refusal(lambda: repr(read(run)), expected)
        refused += said is not None
        assert said is None or path.name in said, said
    assert refused > 0


def test_a_resumed_run_refuses_a_damaged_line_and_leaves_out_a_last_one_that_was_cut(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, path = MetricsLog(str(run)), run / "metrics.jsonl"
    data, expected = path.read_bytes(), log.read()

    def kept() -> list[dict[str, Any]]:
        log.keep(len(expected))
        return log.read()

    for damaged in flipped(data, FLIPS):
        path.write_bytes(damaged)
        said = refusal(kept, expected)
        assert said is None or "metrics.jsonl: line" in said
    path.write_bytes(data[:-1] + b"\x0b")
    assert refusal(kept, expected[:-1]) is None
    assert "metrics.jsonl: its last line was cut and is left out" in capsys.readouterr().err


def test_a_line_that_is_removed_by_hand_is_no_damage(run: Path) -> None:
    path, log = run / "metrics.jsonl", MetricsLog(str(run))
    expected = log.read()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    assert log.read() == expected[1:]
    log.add({"epoch": 9})
    assert log.read() == [*expected[1:], {"epoch": 9}]


def test_the_metrics_of_an_earlier_version_are_covered_once_a_line_is_added(run: Path) -> None:
    log = MetricsLog(str(run))
    (run / "metrics.sha256").unlink()
    before = log.read()
    log.add({"epoch": 9})
    assert log.read() == [*before, {"epoch": 9}]
    path = run / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"epoch": 1,', b'"epoch": 0,'))
    assert "metrics.jsonl: line 1: " in (refusal(log.read, None) or "")


def test_a_damaged_checkpoint_is_passed_over_and_the_one_before_it_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    variables = {"a": keras.Variable(np.zeros(3, np.float32))}
    for step in (1, 2):
        variables["a"].assign(np.full(3, step, np.float32))
        checkpoints.save_step(variables, LoopState(epoch=step, step=step, epoch_loss=0.25, best=0.5))
    newest = tmp_path / "step-000000002"
    for path in sorted(newest.iterdir()):
        data = path.read_bytes()
        for damaged in flipped(data, 400):
            path.write_bytes(damaged)
            found = checkpoints.newest(variables)
            assert found is not None
            warned = capsys.readouterr().err
            # White space in state.json may change without a warning, since it has no meaning.
            assert (found.step, variables["a"].numpy().tolist()) == ((1, [1] * 3) if warned else (2, [2] * 3))
            assert not warned or (newest.name in warned and "the previous checkpoint is used" in warned)
        path.write_bytes(data)


def test_a_damaged_best_checkpoint_is_refused(run: Path) -> None:
    checkpoints, folder = RunFolder(str(run)).checkpoints(), run / "checkpoints" / BEST_NAME
    expected = checkpoints.load(BEST_NAME)
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for damaged in flipped(data, FLIPS if path.suffix == ".json" else 4):
            path.write_bytes(damaged)
            said = refusal(lambda: checkpoints.load(BEST_NAME), expected)
            assert said is None or path.name in said
            assert path.suffix != ".npz" or said
        path.write_bytes(data)


def test_a_damaged_environment_is_reported_where_a_run_goes_on(run: Path) -> None:
    data = (run / "environment.json").read_bytes()
    now = environment()
    for damaged in flipped(data, FLIPS):
        said = differences(damaged, now)
        assert said in ([], ["what it ran on before is not known, since its environment.json is not whole"])


def test_the_configuration_of_a_run_is_checked_as_config_too_and_may_be_changed_by_hand(run: Path) -> None:
    path = run / "config.json"
    whole = path.read_text()
    assert resolve_config(str(path), {}) == RunFolder(str(run)).read_config()
    path.write_text(whole.replace('"epochs": 2', '"epochs": 3'))
    with pytest.raises(UserError, match=r"config\.json: .*changed by hand \(then remove that field\)"):
        resolve_config(str(path), {})
    lines = [line for line in path.read_text().splitlines() if "content_sha256" not in line]
    path.write_text("\n".join(lines) + "\n")
    assert (resolve_config(str(path), {}).epochs, RunFolder(str(run)).read_config().epochs) == (3, 3)
