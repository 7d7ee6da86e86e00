"""A report is printed in plain lines, as JSON, and on a terminal."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from schemas.console.printer import print_either, print_fields, print_report
from schemas.console.report import Column, Line, Report, Table, following, heading, problem, warning
from schemas.console.terminal import guard_terminal, unguarded
from schemas.console.verbosity import VARIABLE
from tests.pseudo_terminal import PseudoTerminal

ROOT = Path(__file__).parents[3]
HOSTILE = "[red]\x1b[31m :smile:"
SHOWN = r"[red]\x1b[31m :smile:"
TABLE = Table(
    (Column("tag", 6), Column("tracks", 8, right=True, gap=" "), Column()),
    (("rock", "1,000", ""), (HOSTILE, "7", "merge")),
)
REPORT = Report.of(
    [
        heading("data: 2 tags"),
        Line("  [bold]plain"),
        TABLE,
        warning("few"),
        problem("torn"),
        following("label --x 'a b'"),
    ]
)
LINES = [
    "data: 2 tags",
    "  [bold]plain",
    "  tag      tracks",
    "  rock      1,000",
    f"  {SHOWN}        7  merge",
    "  warning: few",
    "  problem: torn",
    "next: label --x 'a b'",
]


def test_without_a_terminal_the_lines_are_those_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(REPORT)
    assert capsys.readouterr().out.splitlines() == LINES == REPORT.lines() == str(REPORT).splitlines()


def test_quiet_leaves_warnings_and_problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "quiet")
    print_report(REPORT)
    print_report(Report.of([heading("done")]))
    print_report(Report.of([Line("failed: worse", "problem")]))
    assert capsys.readouterr().out.splitlines() == ["  warning: few", "  problem: torn", "failed: worse"]
    print_fields({"a": 1}, indent=2)
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'


def test_log_json_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(VARIABLE, "as_json")
    print_report(REPORT)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert json.loads(out) == {
        "level": "info",
        "event": "summary",
        "parts": [
            {"kind": "heading", "line": "data: 2 tags"},
            {"kind": "fact", "line": "[bold]plain"},
            {
                "kind": "table",
                "columns": ["tag", "tracks", ""],
                "rows": [["rock", "1,000", ""], [HOSTILE, "7", "merge"]],
            },
            {"kind": "warning", "line": "warning: few"},
            {"kind": "problem", "line": "problem: torn"},
            {"kind": "next", "line": "next: label --x 'a b'"},
        ],
    }
    print_fields({"a": 1}, indent=2)
    assert capsys.readouterr().out == '{"a": 1}\n'


def test_of_fields_and_report_only_the_one_asked_for_is_made_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def not_asked_for() -> Report:
        raise AssertionError

    print_either(True, lambda: {"b": 1, "a": 2}, not_asked_for)
    assert capsys.readouterr().out == '{\n  "b": 1,\n  "a": 2\n}\n'
    print_either(True, lambda: {"b": 1, "a": 2}, not_asked_for, sort_keys=True)
    assert capsys.readouterr().out == '{\n  "a": 2,\n  "b": 1\n}\n'
    print_either(False, not_asked_for, lambda: REPORT)
    assert capsys.readouterr().out.splitlines() == LINES


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_text_from_outside_and_obeys_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", Terminal())
    guard_terminal()
    print_report(REPORT)
    drawn = unguarded(sys.stdout).getvalue()
    assert "\x1b[31m :smile:" not in drawn
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert "\x1b" not in plain
    lines = [line.rstrip() for line in plain.splitlines()]
    assert lines[:2] == LINES[:2]
    assert [line.split() for line in lines[2:6]] == [
        ["tag", "tracks"],
        ["─" * len(lines[3].strip())],
        ["rock", "1,000"],
        [*SHOWN.split(), "7", "merge"],
    ]
    assert lines[-3:] == LINES[-3:]


def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", Terminal())
    print_report(REPORT)
    assert sys.stdout.getvalue().splitlines() == LINES  # type: ignore[attr-defined]


PROGRAM = """
import time
from schemas.console.progress import Progress
from schemas.console.terminal import guard_terminal, say
from schemas.console.printer import print_report
from schemas.console.report import Report, heading, following
guard_terminal()
with Progress("decode", 10, "tracks") as progress:
    progress.update(3, "loss [red]0.5")
    time.sleep(0.2)
    progress.update(4, "loss [red]0.5")
    say("warning: one is odd")
    time.sleep(0.2)
    progress.update(5)
print_report(Report.of([heading("built " + "x" * 150), following("label")]))
"""


def test_a_real_terminal_shows_a_bar_lines_above_it_and_the_report_after_it() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    with PseudoTerminal((sys.executable, "-c", PROGRAM), environment, ROOT) as terminal:
        assert terminal.exit_code() == 0, terminal.shown
    rows = terminal.shown.replace("\r\n", "\n").split("\n")
    drawn = [part.rstrip() for part in rows[0].split("\r")]
    assert any(
        re.fullmatch(r"decode ━+╸? +4 of 10 tracks, [\d.]+/s, \d+ s left, loss \[red\]0\.5", one) for one in drawn
    )
    assert drawn[-1] == "warning: one is odd"
    assert rows[1].split("\r")[-2].strip() == ""  # the bar is wiped
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(rows[1:])).rpartition("\r")[2]
    assert plain.splitlines() == ["built " + "x" * 150, "next: label"]
