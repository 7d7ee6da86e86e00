from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from schemas.console.errors import DatasetError
from schemas.storage.checksums import with_checksum
from training.runs.checkpoints import Checkpoints, LoopState, TornCheckpoint


def _variables(value: float) -> dict[str, keras.Variable]:
    return {"a": keras.Variable(np.full(3, value, np.float32)), "b": keras.Variable(int(value), dtype="int64")}


def test_the_newest_checkpoint_comes_back_with_its_state(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    for epoch in range(1, 5):
        checkpoints.save_step(_variables(epoch), LoopState(epoch=epoch, step=10 * epoch, best=0.5, best_epoch=2))
    variables = _variables(0)
    state = checkpoints.newest(variables)
    assert state == LoopState(epoch=4, step=40, best=0.5, best_epoch=2)
    assert variables["a"].numpy().tolist() == [4, 4, 4]
    assert int(variables["b"].numpy()) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000030", "step-000000040"]


def test_without_a_checkpoint_there_is_no_state(tmp_path: Path) -> None:
    assert Checkpoints(str(tmp_path / "none")).newest(_variables(0)) is None


def test_a_torn_checkpoint_falls_back_to_the_one_before_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    for epoch in (1, 2):
        checkpoints.save_step(_variables(epoch), LoopState(epoch=epoch, step=epoch))
    torn = next((tmp_path / "step-000000002").glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:-7])
    variables = _variables(0)
    state = checkpoints.newest(variables)
    assert state is not None
    assert state.epoch == 1
    assert variables["a"].numpy().tolist() == [1, 1, 1]
    assert "has changed since it was written; the previous checkpoint is used" in capsys.readouterr().err


def _change_state(folder: Path, **fields: object) -> None:
    file = folder / "state.json"
    file.write_text(json.dumps(with_checksum({**json.loads(file.read_text()), **fields})))


def test_a_checkpoint_of_another_version_of_tagscale_is_not_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    for epoch in (1, 2):
        checkpoints.save_step(_variables(epoch), LoopState(epoch=epoch, step=epoch))
    _change_state(tmp_path / "step-000000002", state={"epoch": 2, "step": 2, "phase": 1})
    with pytest.raises(DatasetError, match="written by another version of tagscale: it has the state's phase, which"):
        checkpoints.newest(_variables(0))
    _change_state(tmp_path / "step-000000002", state={"epoch": 2, "step": 2}, format=7)
    with pytest.raises(DatasetError, match="written in format 7 by a newer tagscale; this one reads 1: upgrade it"):
        checkpoints.newest(_variables(0))


def test_a_state_that_lacks_a_field_is_at_its_default(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    checkpoints.save("best", _variables(1), LoopState(epoch=2, step=5))
    _change_state(tmp_path / "best", state={"epoch": 2})
    assert checkpoints.load("best") == LoopState(epoch=2)


@pytest.mark.parametrize("state", [None, [], {"epoch": "two"}, {"step": 1.5}, {"epoch": True}, {"best": "high"}])
def test_an_invalid_state_is_a_torn_checkpoint(tmp_path: Path, state: object) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    checkpoints.save("best", _variables(1), LoopState())
    _change_state(tmp_path / "best", state=state)
    with pytest.raises(TornCheckpoint, match="not a whole checkpoint"):
        checkpoints.load("best")


def test_the_best_checkpoint_is_replaced_whole(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    for value in (1, 2):
        checkpoints.save("best", _variables(value), LoopState(epoch=value))
    assert len(list((tmp_path / "best").iterdir())) == 2
    variables = _variables(0)
    assert checkpoints.load("best", variables).epoch == 2
    assert variables["a"].numpy().tolist() == [2, 2, 2]


def test_a_checkpoint_of_another_model_changes_no_variable(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    checkpoints.save("best", _variables(1), LoopState())
    other = {**_variables(0), "c": keras.Variable(0.0)}
    with pytest.raises(DatasetError, match="another model"):
        checkpoints.load("best", other)
    assert other["a"].numpy().tolist() == [0, 0, 0]
