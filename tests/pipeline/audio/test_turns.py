"""Turns at decoding: many beside each other, one alone, and none kept by a process that was killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

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
