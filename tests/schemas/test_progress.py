"""Progress in a log: a line now and then, with rate and remaining time."""

from __future__ import annotations

import pytest

import schemas.progress
from schemas.progress import Progress


def test_a_log_gets_lines_with_count_rate_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas.progress, "LOG_SECONDS", 0.0)
    with Progress("decode", 2000, "tracks") as progress:
        progress.start_at(1000)
        progress.update(1500, "fine")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("decode: 1,000 of 2,000 tracks, 0.0/s, no estimate yet")
    assert lines[1].startswith("decode: 1,500 of 2,000 tracks, ")
    assert lines[1].endswith(" s left, fine")


def test_a_short_job_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("verify", 0, "payloads") as progress:
        progress.update_of(1, 3)
    assert capsys.readouterr().err == ""
