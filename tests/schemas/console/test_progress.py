"""Progress is shown as an occasional line in a log and as a bar on a terminal, both with rate and remaining time."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

import schemas.console.progress
from schemas.console.progress import Progress
from schemas.console.terminal import guard_terminal, say, unguarded
from schemas.console.verbosity import VARIABLE


def test_a_log_gets_lines_with_count_rate_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas.console.progress, "LOG_SECONDS", 0.0)
    with Progress("decode", 2000, "tracks") as progress:
        progress.start_at(1000)
        progress.update(1500, "fine")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("decode: 1,000 of 2,000 tracks, 0.0/s, no estimate yet")
    assert lines[1].startswith("decode: 1,500 of 2,000 tracks, ")
    assert lines[1].endswith(" s left, fine")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_note_is_shown_and_not_obeyed(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas.console.progress, "LOG_SECONDS", 0.0)
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(sys, "stdout", sys.stderr)
    guard_terminal()
    with Progress("decode", 2, "tracks") as progress:
        progress.update(1, "loss of \x1b[31m")
        progress.update(2, "loss of \x1b[31m")
        if progress._bar is not None:
            progress._bar.refresh()
    written = unguarded(sys.stderr).getvalue()
    assert "loss of \\x1b[31m" in written
    assert "\x1b" not in written
    assert ("\r" in written) == (stream is Terminal)  # a bar is drawn over itself


def test_a_short_job_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("verify", 0, "payloads") as progress:
        progress.update_of(1, 3)
    assert capsys.readouterr().err == ""


def test_a_line_is_a_json_object_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas.console.progress, "LOG_SECONDS", 0.0)
    monkeypatch.setenv(VARIABLE, "as_json")
    with Progress("decode", 2000, "tracks") as progress:
        progress.update(500, "fine")
        say("warning: odd", file=sys.stderr)
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("per_second") > 0
    assert first.pop("seconds_left") >= 0
    what = {"what": "decode", "done": 500, "total": 2000, "unit": "tracks", "note": "fine"}
    assert first == {"level": "info", "event": "progress", **what}
    assert second == {"level": "warning", "event": "message", "message": "odd"}


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_quiet_shows_none(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas.console.progress, "LOG_SECONDS", 0.0)
    monkeypatch.setenv(VARIABLE, "quiet")
    monkeypatch.setattr(sys, "stderr", stream())
    with Progress("decode", 2000, "tracks") as progress:
        progress.update(500, "fine")
        say("waiting", file=sys.stderr)
        say("warning: odd", "error: gone", file=sys.stderr)
    assert sys.stderr.getvalue() == "warning: odd\nerror: gone\n"  # type: ignore[attr-defined]


def test_a_narrow_terminal_shows_what_is_done_and_cuts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress("train", 2, "steps") as progress:
        progress.update(1, "loss 0.5, and more that is said of it: " + "音楽" * 20)
        assert progress._bar is not None
        progress._bar.refresh()
    drawn = sys.stderr.getvalue().split("\r")[-3]  # type: ignore[attr-defined]
    assert re.fullmatch(r"train ━━[━╸ ]{3} 1 of 2 steps, [\d.]+/s, 0 s left, loss 0\.5, .*…\s*", drawn)
    assert len(drawn) < 80
