"""The record of the environment that computed a run."""

from __future__ import annotations

import json
import os

import pytest

from training.devices.environment import differences, environment


@pytest.mark.parametrize(("said", "threads"), [("1", 1), ("7", 7), ("0", None), ("", None), ("many", None)])
def test_threads_are_those_that_tensorflow_is_told_to_take(
    said: str, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", said)
    assert environment()["threads"] == (threads or len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("said", "onednn"), [("0", False), ("false", False), ("False", False), ("1", True), ("", True)]
)
def test_onednn_is_off_however_that_is_written(said: str, onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
    assert environment()["onednn"] is onednn


def test_a_change_is_named_and_a_file_that_was_cut_is_unknown() -> None:
    now = environment()
    assert differences(json.dumps(now).encode(), now) == []
    assert differences(json.dumps({**now, "threads": 99}).encode(), now) == [f"threads: 99 -> {now['threads']}"]
    for cut in (b"", b'{"python"', b"[]", b"\xff"):
        assert differences(cut, now) == ["what it ran on before is not known, since its environment.json is not whole"]
