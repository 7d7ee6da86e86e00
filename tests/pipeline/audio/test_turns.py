"""Turns at decoding: many processes share them, one may decode alone, and a killed process keeps none.

Another user of the machine can neither keep anyone from decoding nor have a file overwritten.
"""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from pipeline.audio import turns
from pipeline.audio.turns import Turns

ROOT = Path(__file__).parents[3]
HOLD = (
    "import sys; from pipeline.audio.turns import Turns\nwith Turns().{}():\n print('in', flush=True); sys.stdin.read()"
)


def holder(how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(how)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def test_many_decode_beside_each_other() -> None:
    with holder("beside_others") as other, Turns().beside_others():
        other.communicate()


def test_who_is_alone_waits_for_those_inside_and_keeps_the_others_out() -> None:
    order: list[str] = []

    def alone() -> None:
        with Turns().alone():
            order.append("alone")

    with holder("beside_others") as other:
        waiting = threading.Thread(target=alone)
        waiting.start()
        waiting.join(0.3)
        order.append("those inside are done")
        other.communicate()
        waiting.join(30)
    assert order == ["those inside are done", "alone"]


def test_a_process_that_was_killed_keeps_no_turn() -> None:
    with holder("alone") as other:
        other.kill()
        other.wait()
        with Turns().beside_others():
            pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this user's locks, in a temporary folder of this test; it does not exist yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"tagscale-{os.getuid()}"


def take_both() -> None:
    one = Turns()
    with one.beside_others():
        pass
    with one.alone():
        pass
    one.close()


def test_the_locks_are_ones_own_and_keep_what_is_in_them(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    take_both()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {"door": 0o600, "room": 0o600}
    (folder / "door").write_text("something")
    take_both()
    assert (folder / "door").read_text() == "something"
    assert capfd.readouterr().err == ""


def another_users(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    folder.rename(folder.with_name(f"tagscale-{os.getuid()}"))


def open_to_others(folder: Path, _: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def link_to_a_folder(folder: Path, _: pytest.MonkeyPatch) -> None:
    folder.with_name("elsewhere").mkdir(mode=0o700)
    folder.symlink_to("elsewhere")


def plain_file(folder: Path, _: pytest.MonkeyPatch) -> None:
    folder.touch()


def link_to_a_file(folder: Path, _: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    (folder / "door").symlink_to("../thesis.tex")


@pytest.mark.parametrize("found", [another_users, open_to_others, link_to_a_folder, plain_file, link_to_a_file])
def test_a_folder_that_is_not_ones_own_is_left_alone_and_decoding_goes_on(
    found, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    thesis = folder.with_name("thesis.tex")
    thesis.write_text("years of work")
    found(folder, monkeypatch)
    before = sorted(path.name for path in folder.parent.rglob("*"))
    take_both()
    take_both()
    assert thesis.read_text() == "years of work"
    assert sorted(path.name for path in folder.parent.rglob("*")) == before
    words = capfd.readouterr().err
    assert words.startswith(f"warning: {folder.parent}/tagscale-")
    assert words.endswith("set TMPDIR to a folder of your own\n")
    assert words.count("\n") == 1  # printed once, however many tracks there are


@pytest.mark.usefixtures("hanging_fails")
@pytest.mark.parametrize("name", ["door", "room"])
@pytest.mark.parametrize("how", ["beside_others", "alone"])
def test_who_never_lets_go_is_named_and_waited_for_once(
    how: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(turns, "SPEAK_SECONDS", 0.0)
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.3)
    one = Turns()
    with open(folder / name, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for _ in range(3):
            with getattr(one, how)():
                pass
    words = capfd.readouterr().err
    assert words == (
        f"process {os.getpid()} waits for its turn at decoding: another process holds {folder}/{name}; after 0.3 s it "
        "continues without\n"
    )
    with getattr(one, how)():  # released at last
        pass
    with open(folder / name, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with getattr(one, how)():
            pass
    assert capfd.readouterr().err == words
    one.close()


def test_a_disk_without_locks_is_decoded_on_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_descriptor: int, _kind: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    take_both()
