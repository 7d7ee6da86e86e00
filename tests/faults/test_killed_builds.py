"""A build that is killed at any moment, again and again, ends with the bytes of one that never was."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.verify import verify
from tests.conftest import small_catalog
from tests.warm_commands import WarmCommand

TRACKS = 24
SHARDS = 8
KILLS = 20

pytestmark = pytest.mark.slow


def run_build(folder: Path, workers: int, kill: str | None) -> tuple[int, int]:
    """Run the command; returns its exit code, and the number of changes of files' names by it and its children."""
    events = folder / "events"
    events.unlink(missing_ok=True)
    words = ["-m", "pipeline.run", "build", "--catalog", folder / "catalog.csv", "--dataset", folder / "data"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "killing")}
    environment |= {"TAGSCALE_TEST_EVENTS": str(events), "TAGSCALE_TEST_KILL": kill or "0:"}
    process = WarmCommand([*words, "--workers", workers, "--shards", SHARDS], env=environment, start_new_session=True)
    _, said = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode, events.stat().st_size if events.exists() else 0


def finished(data: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in data.rglob("part-*.json")}


def payloads_of(marks: dict[Path, int]) -> dict[Path, int]:
    """Payloads of the shards that are done in every family, with their modification times."""
    names = [mark.name for mark in marks]
    return {
        payload: payload.stat().st_mtime_ns
        for mark in marks
        if names.count(mark.name) == 2
        for payload in mark.parent.glob(f"{mark.stem}-*.tfrecord")
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_kills_and_a_last_run_give_the_bytes_of_an_undisturbed_build(
    workers: int, tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    """The kills come at seeded moments: in the plan, between payload and done mark, before and after a rename."""
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    small_catalog(undisturbed, TRACKS, seconds=0.3)
    code, events = run_build(undisturbed, workers, None)
    assert code == 0
    assert events >= 5 * SHARDS + 4
    seeded = random.Random(workers)
    kills, chain = 0, 0
    while kills < KILLS // 2:
        folder = tmp_path / f"killed {chain}"
        folder.mkdir()
        small_catalog(folder, TRACKS, seconds=0.3)
        for _ in range(5):
            # Early moments are more likely, so that the next run has work left in which it can be killed.
            moment = seeded.randint(1, seeded.randint(1, max(1, events // 2)))
            before = finished(folder / "data")
            done = payloads_of(before)
            code, _ = run_build(folder, workers, f"{moment}:{seeded.choice(['before', 'after'])}")
            kills += code == -signal.SIGKILL
            # Finished shards are not written again.
            assert {mark: mark.stat().st_mtime_ns for mark in before} == before
            assert {payload: payload.stat().st_mtime_ns for payload in done} == done
            if code == 0:
                break
        else:
            assert run_build(folder, workers, None)[0] == 0
        assert contents(folder / "data") == contents(undisturbed / "data")
        assert verify(str(folder / "data"), deep=True).problems == ()
        assert not list((folder / "data").rglob(".tmp-*"))
        chain += 1


def test_one_and_four_workers_write_the_same_bytes(tmp_path: Path, contents: Callable[..., dict[str, str]]) -> None:
    catalog = small_catalog(tmp_path, TRACKS, seconds=0.3)
    for workers in (1, 4):
        build(catalog, str(tmp_path / f"by {workers}"), BuildOptions(workers=workers, shards=SHARDS))
    assert contents(tmp_path / "by 1") == contents(tmp_path / "by 4")
