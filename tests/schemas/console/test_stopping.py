"""A command that a key or a signal stops prints one line, has its exit code, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.console.stopping import AT_ONCE_WORDS, STOPPED_WORDS
from tests.pseudo_terminal import INTERRUPT, QUIT, PseudoTerminal, lines_of, processes_of

ROOT = Path(__file__).parents[3]

PROGRAM = """
import ctypes, gc, subprocess, sys, threading, time, click
import schemas.console.stopping
from schemas.console.commandline import run_command
from schemas.console.errors import TagscaleError
from schemas.console.progress import Progress
from schemas.console.stopping import deferred_stop, sheltered_children, stopped_at_once

def work(what):
    if what in ("swallow", "swallow slowly"):
        try:
            ready()
        except:
            time.sleep(60)
    elif what == "another error":
        try:
            ready()
        finally:
            raise OSError("the terminal is gone")
    elif what == "collector":
        gc.callbacks.append(lambda *_: ready())
        gc.collect()
        time.sleep(60)
    elif what == "thread":
        threading.Thread(target=time.sleep, args=(60,)).start()
        ready()
    elif what == "native":
        say_ready()
        ctypes.CDLL(None).sleep(60)
    elif what == "imports":
        with stopped_at_once():
            try:
                ready()
            except:
                print("swallowed")
    elif what == "bar":
        with Progress("decode", 10, "tracks") as progress:
            progress.update(3)
            ready()
    elif what == "children":
        with sheltered_children():
            child = subprocess.Popen(["sleep", "60"])
        shell = ["sh", "-c", "trap '' INT HUP; echo; exec sleep 59"]
        subprocess.Popen(shell, stdout=subprocess.PIPE).stdout.readline()
        ready()
    elif what in ("save", "save slowly", "cannot save", "nothing to save"):
        schemas.console.stopping.SAVING_SECONDS = 30
        with deferred_stop((lambda: False) if what == "nothing to save" else None) as stop_requested:
            say_ready()
            while not stop_requested() or what == "nothing to save":
                time.sleep(0.01)
            time.sleep(60 * (what == "save slowly"))
            if what == "cannot save":
                raise TagscaleError("the disk is full")
            print("saved", flush=True)
    else:
        ready()

def say_ready():
    print("ready", flush=True)

def ready():
    say_ready()
    time.sleep(60)

@click.command()
@click.argument("what")
def command(what):
    schemas.console.stopping.LEAVING_SECONDS = 20 if what == "swallow slowly" else 0.3
    work(what)

run_command(command, "program")
"""
INTERRUPTED, STOPPED = 130, 75


def started(what: str, *, prefix: tuple[str, ...] = ()) -> PseudoTerminal:
    terminal = PseudoTerminal((*prefix, sys.executable, "-c", PROGRAM, what), os.environ, ROOT)
    terminal.wait_until(lambda: "ready\r\n" in terminal.shown)
    terminal.shown = ""
    return terminal


@pytest.mark.parametrize(
    "what",
    [
        "plain",
        "swallow",
        "another error",
        "collector",
        "thread",
        "native",
        "imports",
        "bar",
        "children",
        "nothing to save",
    ],
)
def test_one_interrupt_is_one_line_and_exit_code_130_wherever_it_comes(what: str) -> None:
    with started(what) as terminal:
        terminal.press(INTERRUPT)
        assert terminal.exit_code(seconds=15) == INTERRUPTED
        assert lines_of(terminal.shown) == [STOPPED_WORDS]
        assert terminal.shown.endswith(f"\r{STOPPED_WORDS}\r\n")


@pytest.mark.parametrize("what", ["save", "cannot save"])
def test_work_that_is_told_to_stop_saves_first_and_says_if_it_cannot(what: str) -> None:
    with started(what) as terminal:
        terminal.press(INTERRUPT)
        code = terminal.exit_code()
        expected = ["saved", STOPPED_WORDS] if what == "save" else ["error: the disk is full"]
        assert (code, lines_of(terminal.shown)) == (INTERRUPTED if what == "save" else 1, expected)


@pytest.mark.parametrize("what", ["save slowly", "swallow slowly"])
def test_a_second_interrupt_leaves_at_once(what: str) -> None:
    with started(what) as terminal:
        terminal.press(INTERRUPT)
        time.sleep(0.5)
        terminal.press(INTERRUPT)
        assert terminal.exit_code(seconds=10) == INTERRUPTED
        assert lines_of(terminal.shown) == [AT_ONCE_WORDS]


def test_a_full_pipe_does_not_hold_a_stop_back() -> None:
    program = PROGRAM.replace("time.sleep(60)", 'print("x" * 200_000, flush=True)')
    nobody_reads = """"$0" "$@" | (trap '' INT; exec sleep 60)"""
    command = ("sh", "-c", nobody_reads, sys.executable, "-c", program, "plain")
    with PseudoTerminal(command, os.environ, ROOT) as terminal:

        def writing() -> list[int]:
            found = processes_of(terminal.session).items()
            return [process for process, words in found if words.startswith(sys.executable)]

        terminal.wait_until(writing)
        terminal.wait_for(1)  # the pipe is full by then
        terminal.press(INTERRUPT)
        terminal.wait_until(lambda: not writing(), seconds=10)
        terminal.wait_until(lambda: lines_of(terminal.shown) == [STOPPED_WORDS], seconds=10)


def test_a_terminal_that_is_closed_stops_a_command_as_sigterm_does() -> None:
    with started("bar") as terminal:
        terminal.close()
        assert terminal.exit_code() == STOPPED


def test_what_whoever_started_a_command_lets_it_ignore_stays_ignored() -> None:
    with started("plain", prefix=("sh", "-c", """trap '' INT HUP; exec "$0" "$@" """)) as terminal:
        os.kill(terminal.session, signal.SIGHUP)
        terminal.press(INTERRUPT)
        time.sleep(0.2)
        os.kill(terminal.session, signal.SIGTERM)
        assert terminal.exit_code() == STOPPED
        assert lines_of(terminal.shown) == [STOPPED_WORDS]


def test_quit_ends_all_processes_at_once() -> None:
    with started("children") as terminal:
        terminal.press(QUIT)
        assert terminal.exit_code() == -signal.SIGQUIT
        terminal.wait_until_none_is_left()


def test_children_are_left_to_the_command_to_end() -> None:
    with started("children") as terminal:
        children = processes_of(terminal.session).keys() - {terminal.session}
        terminal.press(INTERRUPT)
        assert terminal.exit_code() == INTERRUPTED
        assert processes_of(terminal.session).keys() == children


IMPORTING = """
import sys, types
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "click":
            print("ready", flush=True)
            import time; time.sleep(60)
sys.meta_path.insert(0, Finder)
import runpy
sys.argv[0] = {script!r}
{start}
"""


@pytest.mark.parametrize(
    ("script", "start"),
    [
        ("run", 'runpy.run_module("pipeline.run", run_name="__main__")'),
        ("run", 'runpy.run_path("training/run.py", run_name="__main__")'),
        ("/usr/bin/tagscale-pipeline", "from pipeline.run import main"),
        ("/usr/bin/tagscale-train", "from training.run import main"),
    ],
)
def test_an_interrupt_during_imports_is_one_line_too(script: str, start: str) -> None:
    program = IMPORTING.format(script=script, start=start)
    with PseudoTerminal((sys.executable, "-c", program), os.environ, ROOT) as terminal:
        terminal.wait_until(lambda: "ready\r\n" in terminal.shown)
        terminal.press(INTERRUPT)
        assert terminal.exit_code() == INTERRUPTED
        assert lines_of(terminal.shown) == ["ready", STOPPED_WORDS]


def test_a_notebook_that_imports_the_commands_keeps_its_keyboard_interrupt() -> None:
    program = "import signal, sys, pipeline.run, training.run, schemas.console.stopping as s\n"
    program += "from schemas.console.stopping import deferred_stop\nhook = sys.excepthook is sys.__excepthook__\n"
    program += "try:\n    with deferred_stop():\n        signal.raise_signal(signal.SIGINT)\n"
    program += "except KeyboardInterrupt:\n    print(hook, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "True True\n"


FORKING = """
import os, time
from schemas.console.stopping import stop_on_signals
stop_on_signals()
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    with ProcessPoolExecutor(4) as pool:
        working = [pool.submit(time.sleep, 0.1) for _ in range(8)]
        working[3].result()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_a_key_that_reaches_forked_processes_too_is_no_second_one(tmp_path: Path) -> None:
    (tmp_path / "forking.py").write_text(FORKING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with PseudoTerminal([sys.executable, str(tmp_path / "forking.py")], environment, tmp_path) as terminal:
        terminal.wait_until(lambda: "ready" in terminal.shown)
        terminal.press(INTERRUPT)
        assert terminal.exit_code() == 130
        terminal.wait_until_none_is_left(5)
    assert AT_ONCE_WORDS not in terminal.shown
    assert STOPPED_WORDS in terminal.shown
