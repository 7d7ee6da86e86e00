"""The commands of docs/buckets.md, run in order in a bucket of that name, and the reads that a stage saves."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import pytest

from tests.buckets.conftest import ROOT, Bucket, Shell, new_bucket
from tests.conftest import small_catalog
from tests.end_to_end.test_documents import SHORTER, documented_commands

pytestmark = pytest.mark.slow

TRACKS = 40


@pytest.fixture
def my_music(bucket: Bucket, tmp_path: Path) -> Bucket:
    """The bucket that the page uses."""
    folder = tmp_path / "my music"
    folder.mkdir()
    small_catalog(folder, TRACKS, seconds=2.0)
    rows = [f"{number:02d},{tag}" for number in range(TRACKS) for tag in ("rock", "jazz")[number % 2 :]]
    (folder / "annotations.csv").write_text("\n".join(["track_id,tag", *rows]) + "\n")
    (folder / "tags.yaml").write_text("name: mine\ntop: 2\n")
    made = new_bucket(bucket.port, "my-music")
    for path in folder.iterdir():
        made.put(path.name, path.read_bytes())
    return made


def test_every_command_of_the_page_works_and_what_is_staged_is_not_read_again(
    my_music: Bucket, shell: Shell, tmp_path: Path
) -> None:
    commands = documented_commands(ROOT / "docs" / "buckets.md")
    assert len(commands) >= 5
    for command in commands:
        words = shlex.split(command)
        arguments = words[words.index("training/run.py") + 1 :] if "training/run.py" in words else words[3:]
        shell.run(*arguments, *(SHORTER if "train" in arguments else []))
    staged = {path.stem: path.read_bytes() for path in (tmp_path / "stage").iterdir()}
    assert staged
    for name, data in staged.items():
        assert hashlib.sha256(data).hexdigest() == name
    assert b"stage" not in my_music.get("run/config.json")

    assert any(name.endswith(".tfrecord") for name in shell.proxy.sent)
    shell.proxy.forget()
    shell.run("evaluate", "--run", "gs://my-music/run", "--stage", "stage")
    assert not any(name.endswith(".tfrecord") for name in shell.proxy.sent)
    assert {path.stem: path.read_bytes() for path in (tmp_path / "stage").iterdir()} == staged
