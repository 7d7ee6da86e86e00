"""A build that is stopped or killed half-way leaves no process behind, and resumes to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.verify import verify
from schemas.console.errors import UserError
from schemas.dataset import Dataset

ROOT = Path(__file__).parents[2]
TRACKS = 12
SHARDS = 4
HANGING_CODE = Path(__file__).parent / "hanging"
HANGING = 5  # this track's file does not answer: the build is half done and stays so, however fast the machine is

pytestmark = pytest.mark.slow


def processes_of(session: int) -> dict[int, str]:
    """Processes of a session that are alive, with their command lines."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                state, _, _, its_session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(its_session) == session and state != "Z":
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def wait_until(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def half_built(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A running build of tmp_path/catalog.csv into tmp_path/data, all of whose shards but one are done."""
    for number in range(TRACKS):
        sound = np.random.default_rng(number).normal(scale=0.1, size=8_000)
        soundfile.write(tmp_path / f"{number}.wav", sound, 16_000)
    rows = [f"{number},{number}.wav" for number in range(TRACKS)]
    (tmp_path / "catalog.csv").write_text("\n".join(["track_id,uri", *rows]) + "\n")
    command = [sys.executable, "-m", "pipeline.run", "build", "--catalog", str(tmp_path / "catalog.csv")]
    command += ["--dataset", str(tmp_path / "data"), "--workers", "2", "--shards", str(SHARDS)]
    hanging = {"PYTHONPATH": str(HANGING_CODE), "TAGSCALE_TEST_HANGS": str(tmp_path / f"{HANGING}.wav")}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **hanging},
    )
    wait_until(lambda: len(list((tmp_path / "data").rglob("part-*.json"))) == 2 * (SHARDS - 1))
    commands = processes_of(process.pid).values()
    assert any("sdk_worker_main" in command for command in commands)
    assert any("decoding_process" in command for command in commands)
    yield process
    for pid in processes_of(process.pid):
        os.kill(pid, signal.SIGKILL)


def check_resumes(folder: Path, contents: Callable[..., dict[str, str]]) -> None:
    """The build resumes to the bytes of one that was never stopped."""
    with pytest.raises(UserError, match="its build is unfinished"):
        Dataset.open(str(folder / "data"))
    done = {mark: mark.stat().st_mtime_ns for mark in (folder / "data").rglob("part-*.json")}
    assert len(done) == 2 * (SHARDS - 1)
    options = BuildOptions(workers=1, shards=SHARDS)
    assert build(str(folder / "catalog.csv"), str(folder / "data"), options).records == TRACKS
    assert {mark: mark.stat().st_mtime_ns for mark in done} == done
    build(str(folder / "catalog.csv"), str(folder / "never stopped"), options)
    assert contents(folder / "data") == contents(folder / "never stopped")
    assert verify(str(folder / "data"), deep=True).problems == ()


def test_a_build_stopped_by_sigterm_exits_with_75_and_resumes_to_the_same_bytes(
    half_built: subprocess.Popen[str], tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    half_built.send_signal(signal.SIGTERM)
    out, words = half_built.communicate(timeout=30)
    assert half_built.returncode == 75
    assert words == "stopped; what is finished is kept: run the same command again to go on\n"
    assert out == ""
    wait_until(lambda: not processes_of(half_built.pid), seconds=10)
    check_resumes(tmp_path, contents)


def test_a_killed_build_resumes_to_the_same_bytes(
    half_built: subprocess.Popen[str], tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    os.killpg(half_built.pid, signal.SIGKILL)
    half_built.wait(timeout=30)
    wait_until(lambda: not processes_of(half_built.pid), seconds=10)
    check_resumes(tmp_path, contents)


def test_a_build_whose_main_process_alone_is_killed_leaves_no_orphan(half_built: subprocess.Popen[str]) -> None:
    half_built.kill()
    half_built.communicate(timeout=30)
    wait_until(lambda: not processes_of(half_built.pid), seconds=20)
