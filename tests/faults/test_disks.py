"""A full or read-only disk is reported in one clear line, and the same command goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.verify import verify
from tests.conftest import small_catalog
from tests.warm_commands import run_warm

TRACKS = 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def run_build(folder: Path, data: Path, workers: int = 1) -> subprocess.CompletedProcess[str]:
    words = ["-m", "pipeline.run", "build", "--catalog", folder / "catalog.csv", "--dataset", data]
    return run_warm([*words, "--workers", workers, "--shards", "4"], timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_named_and_the_build_goes_on_when_there_is_room(
    workers: int, small_disk: Path, tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    small_catalog(tmp_path, TRACKS, seconds=4.0)  # 2.1 MB of features
    stopped = run_build(tmp_path, small_disk / "data", workers)
    assert stopped.returncode == 1
    assert "No space left on device" in stopped.stderr
    assert "make room there, and run the same command again" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    # A slow machine also shows how far it has come.
    assert len([line for line in stopped.stderr.splitlines() if not line.startswith("decode: ")]) == 1
    remount(small_disk, "size=16m")
    assert run_build(tmp_path, small_disk / "data", workers).returncode == 0
    assert run_build(tmp_path, tmp_path / "data").returncode == 0
    assert contents(small_disk / "data") == contents(tmp_path / "data")
    assert verify(str(small_disk / "data"), deep=True).problems == ()


@pytest.mark.slow
def test_a_disk_that_cannot_be_written_is_named(small_disk: Path, tmp_path: Path) -> None:
    small_catalog(tmp_path, TRACKS)
    remount(small_disk, "ro")
    refused = run_build(tmp_path, small_disk / "data")
    assert refused.returncode == 2
    assert refused.stderr == (
        f"error: {small_disk}/data: cannot be written in: Read-only file system; choose another folder\n"
    )
    remount(small_disk, "rw")
    assert os.listdir(small_disk) == []


@pytest.mark.slow
def test_a_file_that_may_not_grow_ends_a_build_with_its_reason(tmp_path: Path) -> None:
    """A limit on file size acts like a quota, and a test may set it without special rights."""
    small_catalog(tmp_path, TRACKS, seconds=4.0)
    script = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "sys.argv = ['pipeline.run', 'build', '--catalog', sys.argv[1], '--dataset', sys.argv[2], '--workers', '1',"
        "'--shards', '1']; runpy.run_module('pipeline.run', run_name='__main__')"
    )
    stopped = run_warm(["-c", script, tmp_path / "catalog.csv", tmp_path / "data"], timeout=120)
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
