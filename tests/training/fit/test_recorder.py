from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from schemas.console.errors import TagscaleError
from training.config import TrainConfig
from training.fit.recorder import Recorder, RunRecorder
from training.runs.checkpoints import BEST_NAME, LoopState
from training.runs.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(str(tmp_path / "run"))


def _recorder(run: RunFolder, *, minutes: float = 60.0) -> RunRecorder:
    config = TrainConfig(
        dataset="data", label_set="mine", frontend="spectrogram", checkpoint_minutes=minutes, keep_checkpoints=3
    )
    return RunRecorder(run, config, {"weight": keras.Variable(np.ones(3, np.float32))}, ["bass"])


def _checkpoints(run: RunFolder) -> list[str]:
    return sorted(path.parent.name for path in Path(run.root).glob("checkpoints/*/state.json"))


def _with_a_file_for_checkpoints(run: RunFolder) -> None:
    """Make every write of a checkpoint fail, even for root."""
    Path(run.root).mkdir()
    Path(run.root, "checkpoints").write_text("in the way")


def test_a_checkpoint_that_cannot_be_written_is_a_warning_and_the_last_one_an_error(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_file_for_checkpoints(run)
    recorder = _recorder(run)
    recorder.begin(LoopState(step=3))
    recorder.save(LoopState(step=4))
    words = f"{run.root}: the checkpoint of step 4 cannot be written: "
    assert capsys.readouterr().err.startswith(f"warning: {words}")
    with pytest.raises(TagscaleError, match="the checkpoint of step 4 cannot be written: .*; the one of step 3 stays"):
        recorder.end(LoopState(step=4))


def test_a_best_checkpoint_that_cannot_be_written_leaves_the_one_before_or_ends_several_workers(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_file_for_checkpoints(run)
    recorder = _recorder(run)
    assert not recorder.keep_best(LoopState(best=0.5, best_epoch=1))
    assert capsys.readouterr().err.startswith(f"warning: {run.root}: the best checkpoint cannot be written: ")
    with pytest.raises(TagscaleError, match="the best checkpoint cannot be written: "):
        recorder.keep_best(LoopState(best=0.5, best_epoch=1), required=True)


def test_a_run_that_goes_on_forgets_what_was_written_after_its_position(run: RunFolder) -> None:
    recorder = _recorder(run)
    recorder.begin(LoopState())
    for epoch in (1, 2):
        recorder.add_loss(10 * epoch, 0.5)
        recorder.add_line({"epoch": epoch, "step": 10 * epoch, "loss": float("nan")})
        recorder.save(LoopState(epoch=epoch, step=10 * epoch, recorded_step=10 * epoch))
    again = _recorder(run)
    again.begin(LoopState(epoch=1, step=10, recorded_step=10))
    lines = [json.loads(line) for line in Path(run.metrics).read_text().splitlines()]
    assert lines == [{"epoch": 1, "step": 10, "loss": None}]
    assert [path.name for path in Path(run.tensorboard).iterdir()] == ["events.out.tfevents.step-000000000010"]


def test_the_last_position_is_saved_once(run: RunFolder) -> None:
    recorder = _recorder(run)
    recorder.begin(LoopState(step=3))
    recorder.end(LoopState(step=3))
    assert _checkpoints(run) == []
    recorder.end(LoopState(step=4))
    assert _checkpoints(run) == ["step-000000004"]
    state = Path(run.root, "checkpoints", "step-000000004", "state.json")
    written = state.stat().st_mtime_ns
    recorder.end(LoopState(step=4))
    assert state.stat().st_mtime_ns == written
    assert recorder.keep_best(LoopState(step=4, best=0.5, best_epoch=1))
    assert _checkpoints(run) == [BEST_NAME, "step-000000004"]


def test_a_checkpoint_is_due_after_its_minutes(run: RunFolder) -> None:
    often, rarely = _recorder(run, minutes=0.0), _recorder(run)
    for recorder in (often, rarely):
        recorder.begin(LoopState())
    assert often.checkpoint_is_due
    assert not rarely.checkpoint_is_due


def test_the_recorder_of_another_worker_than_the_chief_is_silent() -> None:
    """It has no folder to write into; the best epoch counts as kept, as it does in the chief."""
    silent = Recorder()
    assert not silent.checkpoint_is_due
    assert silent.keep_best(LoopState(), required=True)
    told = {name for name in vars(Recorder) if not name.startswith("_")}
    assert told == {name for name in vars(RunRecorder) if not name.startswith("_")}, "the chief leaves one unanswered"
