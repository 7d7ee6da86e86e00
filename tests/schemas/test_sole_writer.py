"""Only one command at a time changes a dataset, and a killed command keeps no lock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import schemas.sole_writer
from schemas.console.errors import UserError
from schemas.layout import Layout
from schemas.sole_writer import changing, sole_writer

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from schemas.sole_writer import sole_writer
with sole_writer(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_the_holder_ends_however_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        with pytest.raises(UserError, match="another command is changing this dataset"), sole_writer(str(tmp_path)):
            pass
        holder.kill()
    with sole_writer(str(tmp_path)):
        pass
    assert os.listdir(tmp_path) == []


def test_a_bucket_is_not_held() -> None:
    with sole_writer("gs://bucket/data"), sole_writer("gs://bucket/data"), changing(Layout("gs://bucket/data")):
        pass


def test_a_change_waits_for_another_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas.sole_writer, "_SAID_AFTER_SECONDS", 0.05)
    layout = Layout(str(tmp_path))
    with changing(layout):
        waiting = threading.Thread(target=_change, args=(layout,))
        waiting.start()
        while not capsys.readouterr().err.startswith(f"{tmp_path}: waiting for another command that is changing this"):
            time.sleep(0.01)
        assert waiting.is_alive()
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas.sole_writer, "PATIENCE_SECONDS", 0.05)
    layout = Layout(str(tmp_path))
    words = f"^{tmp_path}: another command is changing this dataset"
    with changing(layout), pytest.raises(UserError, match=words), changing(layout):
        pass


def _change(layout: Layout) -> None:
    with changing(layout):
        pass
