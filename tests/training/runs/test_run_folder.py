"""Errors for files of a run that were cut or have another version name the file and say what to do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from schemas.console.errors import DatasetError, TagscaleError, UserError
from training.config import Schedule, TrainConfig
from training.runs.checkpoints import BEST_NAME, LoopState
from training.runs.run_folder import RunFolder

CONFIG: dict[str, Any] = {"format": 1, "dataset": "data", "label_set": "mine", "frontend": "spectrogram"}


@pytest.mark.parametrize(
    ("written", "kind", "words"),
    [
        (b"", DatasetError, "expected the configuration of a run, a JSON object: .*; restore it from a copy, or train"),
        (json.dumps(CONFIG).encode()[:-9], DatasetError, "expected the configuration of a run, a JSON object"),
        (b"[]", DatasetError, ".*a JSON object: it is list; restore"),
        (b'{"format": "one"}', DatasetError, ".*a JSON object: its format number is .one.; restore"),
        (
            json.dumps({**CONFIG, "format": 2}).encode(),
            UserError,
            "written in format 2 by a newer tagscale; this one reads 1: upgrade it",
        ),
        (
            json.dumps({**CONFIG, "tempo": 2}).encode(),
            UserError,
            "unknown field 'tempo'; use the tagscale that wrote it",
        ),
        (
            json.dumps({**CONFIG, "epochs": "3"}).encode(),
            UserError,
            "epochs: expected int, received '3'; correct the field",
        ),
        (b'{"format": 1}', UserError, "expected every field that has no default: .*'dataset'"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(
    tmp_path: Path, written: bytes, kind: type[TagscaleError], words: str
) -> None:
    (tmp_path / "config.json").write_bytes(written)
    with pytest.raises(kind, match=rf"^{tmp_path}/config\.json: {words}"):
        RunFolder(str(tmp_path)).read_config()


def test_lines_of_later_epochs_and_a_last_one_that_was_cut_are_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, lines = RunFolder(str(tmp_path)), [b'{"epoch": %d, "loss": 0.5}\n' % epoch for epoch in (1, 2, 3)]
    for torn in (b"", b'{"epoch": 4, "lo', b'{"epoch": 4}'):
        Path(run.metrics).write_bytes(b"".join(lines) + torn)
        run.keep_metrics(2)
        assert Path(run.metrics).read_bytes() == lines[0] + lines[1]
        assert ("its last line was cut and is left out" in capsys.readouterr().err) == bool(torn)


def test_lines_after_the_last_recorded_step_are_forgotten_though_their_epoch_is_the_same(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    lines = [b'{"epoch": %s, "step": %d}\n' % (epoch, step) for epoch, step in ((b"0.5", 4), (b"0.75", 6), (b"1", 8))]
    Path(run.metrics).write_bytes(b"".join(lines))
    run.keep_metrics(0, 6)
    assert Path(run.metrics).read_bytes() == lines[0] + lines[1]


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_a_run_may_get_more_steps_unless_it_has_a_cosine(tmp_path: Path, schedule: Schedule) -> None:
    run = RunFolder(str(tmp_path))
    config = TrainConfig("data", "mine", "spectrogram", epochs=3, schedule=schedule)
    run.begin(config)
    run.checkpoints().save(BEST_NAME, {"weight": keras.Variable(np.ones(2))}, LoopState())
    in_steps = dataclasses.replace(config, epochs=0, max_steps=900)
    if schedule == "plateau":
        run.begin(in_steps)
        assert run.read_config() == in_steps
    else:
        with pytest.raises(UserError, match=r"another configuration \(epochs: 3 -> 0; max_steps: 0 -> 900\)"):
            run.begin(in_steps)


@pytest.mark.parametrize("line", [b'{"epo\n', b"[]\n", b'{"loss": 1}\n', b'{"epoch": "1"}\n'])
def test_a_line_before_the_last_that_is_not_whole_is_named(tmp_path: Path, line: bytes) -> None:
    run = RunFolder(str(tmp_path))
    Path(run.metrics).write_bytes(b'{"epoch": 1}\n' + line + b'{"epoch": 3}\n')
    with pytest.raises(
        DatasetError, match=r"metrics\.jsonl: line 2: expected a JSON object with an epoch, .*; remove the"
    ):
        run.keep_metrics(2)
    assert line in Path(run.metrics).read_bytes()
