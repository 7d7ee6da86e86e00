"""A catalog, its dataset as this machine builds it, and a build on an engine that is under way."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import RunPipeline, small_catalog

ROOT = Path(__file__).parents[2]
TRACKS, SHARDS = 96, 48
BEGIN_SECONDS = 120

Contents = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_catalog(tmp_path_factory.mktemp("music"), TRACKS, seconds=2.0)


@pytest.fixture(scope="module")
def here(catalog: str, tmp_path_factory: pytest.TempPathFactory, run_pipeline: RunPipeline) -> Path:
    """The dataset of a local build."""
    data = tmp_path_factory.mktemp("here") / "data"
    ended = run_pipeline("build", "--catalog", catalog, "--dataset", data, "--shards", SHARDS)
    assert ended.returncode == 0, ended.stderr
    return data


def marks(data: Path) -> int:
    """Number of done marks of the log-mel features."""
    return len(list(data.glob("features/logmel-*/gen-000/*.json")))


@contextlib.contextmanager
def begun(engine: Sequence[str], catalog: str, data: Path, shards: int = SHARDS) -> Iterator[subprocess.Popen[str]]:
    """A build that has finished some of its shards.

    Args:
        engine: Options that name an engine.
        catalog: The catalog.
        data: Folder of the dataset.
        shards: Number of shards.
    """
    command = [sys.executable, "-m", "pipeline.run", "build", "--catalog", catalog, "--dataset", str(data)]
    command += ["--shards", str(shards), *engine]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as building:
        deadline = time.monotonic() + BEGIN_SECONDS
        while marks(data) < 3:
            assert building.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        assert marks(data) < shards - 3
        yield building
        if building.poll() is None:
            building.kill()


def nothing_is_left_over(data: Path, run_pipeline: RunPipeline) -> bool:
    ended = run_pipeline("prune", "--dataset", data, "--orphans")
    return ": 0 to remove" in ended.stdout


def features(found: dict[str, str]) -> dict[str, str]:
    """The built features and tracks; `here` may have labels and derived features as well."""
    built = {name.split("/")[1] for name in found if name.startswith("features/waveform")}
    return {
        name: digest
        for name, digest in found.items()
        if name.startswith(("tracks/", "plan/")) or (name.split("/")[1:2] and name.split("/")[1] in built)
    }
