"""A tagging that is killed at any moment, again and again, ends with the bytes of one that never was."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tagging.verify_tags import verify_tags
from schemas.features import LogMelSpec, WaveformSpec
from tests.conftest import small_catalog
from tests.pipeline.tagging.conftest import write_model
from tests.warm_commands import WarmCommand

FAULTS = Path(__file__).parent
TRACKS, SHARDS, KILLS = 16, 4, 8

# The command with a model in numpy that is ready at once.
COMMAND = (
    "import functools, runpy, sys\n"
    "import pipeline.tagging.shards as shards\n"
    "from pipeline.tagging.inference import Inference\n"
    "shards.Inference = functools.partial(Inference, module='plain_model')\n"
    "sys.argv = ['pipeline.run', *sys.argv[1:]]\n"
    "runpy.run_module('pipeline.run', run_name='__main__')\n"
)

pytestmark = pytest.mark.slow


def run_tag(folder: Path, model: Path, kill: str = "0:") -> tuple[int, int]:
    """Run the command; returns its exit code, and the number of changes of files' names by it and its children."""
    events = folder / "events"
    events.unlink(missing_ok=True)
    words = ["--model", model, "--catalog", folder / "catalog.csv", "--out", folder / "data" / "tags"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(FAULTS / "killing"), str(FAULTS)))}
    environment |= {"TAGSCALE_TEST_EVENTS": str(events), "TAGSCALE_TEST_KILL": kill}
    (folder / "data").mkdir(exist_ok=True)
    process = WarmCommand(
        ["-c", COMMAND, "tag", *words, "--workers", 1, "--shards", SHARDS], env=environment, start_new_session=True
    )
    _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode, events.stat().st_size if events.exists() else 0


def test_kills_at_seeded_moments_and_a_last_run_give_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    model = write_model(tmp_path / "model", LogMelSpec(WaveformSpec("full")))
    folders = [tmp_path / name for name in ("undisturbed", "killed")]
    for folder in folders:
        folder.mkdir()
        small_catalog(folder, TRACKS, seconds=0.5)
    code, events = run_tag(folders[0], model)
    assert code == 0
    assert events >= 3 * SHARDS + 4  # scores, tracks part and done mark of each, plan, manifests, table of tracks
    seeded = random.Random(0)
    kills, killed = 0, folders[1]
    for _ in range(KILLS):
        marks = {path: path.stat().st_mtime_ns for path in killed.rglob("part-*.json")}
        moment = seeded.randint(1, max(2, events // 3))
        code, _ = run_tag(killed, model, f"{moment}:{seeded.choice(['before', 'after'])}")
        kills += code == -signal.SIGKILL
        assert {path: path.stat().st_mtime_ns for path in marks} == marks
    assert kills >= 3
    assert run_tag(killed, model)[0] == 0
    ours, theirs = (contents(folder / "data" / "tags") for folder in folders)
    # The manifests name the catalogs, each in its own folder.
    assert {name: digest for name, digest in ours.items() if name != "tags.json"} == {
        name: digest for name, digest in theirs.items() if name != "tags.json"
    }
    assert verify_tags(str(killed / "data" / "tags")).problems == ()
    assert not list(killed.rglob(".tmp-*"))
