"""Exit codes, and one clear line on stderr for an error that a user can fix."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PROGRAM = """
import signal, sys, threading, time, warnings, click
import schemas.console.stopping
from schemas.console.commandline import run_command
from schemas.console.errors import DatasetError, UserError
from schemas.storage.files import write_atomic

@click.command()
@click.argument("what")
@click.option("--count", type=int, help="A number.")
def command(what, count):
    if what == "user":
        raise UserError("catalog x.csv: expected a, received b; do c")
    if what == "dataset":
        raise DatasetError("part-00000: was cut")
    if what == "hostile":
        warnings.warn("about \\x1b[31m")
        raise UserError("track \\x1b]0;x\\x07\\u202e\\nerror: forged: expected a")
    if what == "hostile bug":
        raise ValueError("track \\x1b]0;x\\x07")
    if what == "choices":
        raise click.UsageError("Missing option '--kind'. Choose from:\\n\\ta,\\n\\tb")
    if what == "io":
        open("/nowhere/at all")
    if what == "long":
        open("/tmp/" + "a" * 300, "w")
    if what == "folder":
        write_atomic("docs", b"x")
    if what == "bug":
        raise ZeroDivisionError("a bug")
    if what == "far":
        raise RuntimeError("Traceback (most recent call last):\\n  File x, line 1\\nValueError: x")
    if what == "interrupt":
        raise KeyboardInterrupt
    if what in ("wait", "thread", "clean-up"):
        if what == "thread":
            threading.Thread(target=time.sleep, args=(60,)).start()
        schemas.console.stopping.LEAVING_SECONDS = 0.5
        print("waiting", flush=True)
        try:
            time.sleep(60)
        except Exception:  # must not swallow the stop
            pass
        finally:
            time.sleep(60 * (what == "clean-up"))
    print("done")

run_command(command, "program")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["user"], 2, "error: catalog x.csv: expected a, received b; do c"),
        (["dataset"], 1, "error: part-00000: was cut"),
        (["io"], 1, "error: /nowhere/at all: No such file or directory"),
        (["long"], 2, "longer than the file system takes (255 bytes a name)"),
        (["folder"], 2, "docs: expected a file to write, found a folder; choose another name"),
        (["interrupt"], 130, "stopped; what is finished is kept: run the same command again"),
        (["fine", "--tempo"], 2, "No such option"),
        (["fine", "--count", "many"], 2, "'many' is not a valid integer"),
        ([], 2, "Missing argument 'WHAT'"),
    ],
)
def test_what_a_user_can_mend_is_one_line_with_its_exit_code(arguments: list[str], code: int, words: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == code
    assert words in ended.stderr
    assert ended.stderr.strip().count("\n") == 0
    assert ended.stdout == ""


def test_what_stands_in_an_error_is_shown_and_not_obeyed() -> None:
    shown = "error: track \\x1b]0;x\\x07\\u202e\\nerror: forged: expected a"
    lines = run("hostile").stderr.splitlines()
    assert lines[0].endswith("UserWarning: about \\x1b[31m")
    assert lines[-1] == shown
    assert "\x1b" not in "".join(lines)
    option = run("fine", "--\x1b[31m\nforged")
    assert option.stderr.startswith("error: No such option")
    assert option.stderr.count("\n") == 1
    assert "\x1b" not in option.stderr


def test_the_traceback_of_a_bug_shows_what_stands_in_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGSCALE_TRACEBACK", "1")
    words = run("hostile bug").stderr
    assert words.splitlines()[-2:] == [
        "ValueError: track \\x1b]0;x\\x07",
        "error: unexpected ValueError: track \\x1b]0;x\\x07",
    ]
    assert "\x1b" not in words


def test_choices_that_click_lists_one_below_the_other_are_one_line() -> None:
    assert run("choices").stderr == "error: Missing option '--kind'. Choose from: a, b (see program --help)\n"


def test_success_is_exit_code_zero() -> None:
    assert run("fine").returncode == 0


@pytest.mark.parametrize(
    ("what", "words"), [("bug", "ZeroDivisionError: a bug"), ("far", "RuntimeError: ValueError: x")]
)
def test_what_nobody_foresaw_is_one_line_and_shows_its_traceback_if_it_is_asked_to(
    what: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAGSCALE_TRACEBACK", raising=False)
    bug = run(what)
    assert bug.returncode == 1
    assert bug.stderr == f"error: unexpected {words}; set TAGSCALE_TRACEBACK=1 to see where\n"
    monkeypatch.setenv("TAGSCALE_TRACEBACK", "1")
    bug = run(what)
    assert bug.returncode == 1
    assert bug.stderr.startswith("Traceback")
    assert bug.stderr.endswith(f"error: unexpected {words}\n")


def test_help_is_no_error() -> None:
    ended = run("--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "A number." in ended.stdout


@pytest.mark.parametrize("at", ["wait", "thread", "clean-up"])
def test_a_stop_by_sigterm_is_exit_code_75_and_says_to_run_again_whatever_hangs(at: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, at], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    out, words = process.communicate(timeout=10)
    assert (process.returncode, out) == (75, "")
    assert words == "stopped; what is finished is kept: run the same command again to go on\n"
