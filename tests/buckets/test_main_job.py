"""The main job, run by its commands with everything in a bucket, writes the same bytes as on a local disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.labels.overlay import lay_labels
from pipeline.removal.remove import remove
from tests.buckets.conftest import Bucket, Shell, ended
from tests.buckets.proxy import Fault, Request
from tests.conftest import SmallCorpus, small_catalog, write_csv

pytestmark = pytest.mark.slow

FIRST = 18  # number of tracks in the first catalog; the file of the last one does not exist yet
TINY = "--epochs 1 --patch-seconds 1 --num-filt 1 --backend-filters 32 --dense-units 8 --batch-size 8".split()


@pytest.fixture
def music(small_corpus: SmallCorpus, tmp_path: Path) -> Path:
    """A folder as a user has it: a first catalog and a grown one, audio, annotations, a label set, a removal request."""
    folder = Path(shutil.copytree(small_corpus.folder, tmp_path / "music"))
    for name, count in (("first", FIRST), ("grown", len(small_corpus.rows))):
        write_csv(folder / f"{name}.csv", ("track_id", "uri", "group"), small_corpus.rows[:count])
    (folder / "gone.txt").write_text("".join(f"{track}\n" for track, _, _ in small_corpus.rows[2:4]), encoding="utf-8")
    return folder


def test_build_label_remove_grow_retry_verify_and_train(
    music: Path, shell: Shell, bucket: Bucket, small_corpus: SmallCorpus, contents: Callable[..., dict[str, str]]
) -> None:
    late = music / small_corpus.rows[FIRST - 1][1]
    late.rename(music / "late")
    bucket.upload(music, "music")
    local, data = str(music / "data"), bucket.uri("music/data")
    names = ("annotations.csv", "small.yaml", "gone.txt")
    annotations, label_set, gone = (bucket.uri(f"music/{name}") for name in names)
    label = ["label", "--dataset", data, "--annotations", annotations, "--label-set", label_set]

    def build_both(catalog: str, *options: str, **local_options: str) -> str:
        expected = BuildOptions(workers=1, shards=4, max_reject_rate=0.1, **local_options)  # type: ignore[arg-type]
        build(str(music / catalog), local, expected)
        options = ("--workers", "2", "--shards", "4", "--max-reject-rate", "0.1", *options)
        return shell.run("build", "--catalog", bucket.uri(f"music/{catalog}"), "--dataset", data, *options)

    printed = build_both("first.csv")
    assert f"{FIRST} of the catalog, {FIRST - 1} stored" in printed
    assert "1 not_found, such as träck 017" in printed
    assert bucket.contents("music/data") == contents(music / "data")

    lay_labels(local, [str(music / "annotations.csv")], str(music / "small.yaml"))
    shell.run(*label)
    remove(local, str(music / "gone.txt"), purge=True)
    shell.run("remove", "--dataset", data, "--tracks", gone, "--purge")
    assert bucket.contents("music/data") == contents(music / "data")

    before = bucket.generations("music/data/features")
    (music / "late").rename(late)
    # A replaced recording is found by its checksum: the store's listing has it, and a local file has to be read.
    replaced = music / small_corpus.rows[6][1]
    shutil.copy(music / small_corpus.rows[8][1], replaced)
    for path in (late, replaced):
        bucket.put(f"music/{path.relative_to(music)}", path.read_bytes())
    printed = build_both("grown.csv", "--retry-rejects", "transient", retry_rejects="transient")
    assert "built gen-001" in printed
    assert "rejects   0" in printed
    after = bucket.generations("music/data/features")
    assert {name: after[name] for name in before} == before
    lay_labels(local, [str(music / "annotations.csv")], str(music / "small.yaml"))
    shell.run(*label)
    assert bucket.contents("music/data") == contents(music / "data")
    assert shell.run("verify", "--dataset", data, "--deep").endswith("everything reconciles\n")

    run = bucket.uri("music/run")
    train = ["train", "--dataset", data, "--label-set", "small", "--frontend", "spectrogram"]
    assert "1 epochs over" in shell.run(*train, "--out", run, *TINY)
    shell.run("evaluate", "--run", run, "--split", "validation")
    version = json.loads(bucket.get("music/data/labels/small/log.jsonl").splitlines()[-1])["version"]
    counts = json.loads(bucket.get(f"music/data/labels/small/{version}/labels.json"))["counts"]
    evaluation = json.loads(bucket.get("music/run/evaluation/validation.json"))
    assert evaluation["tracks"] == counts["validation"] > 0


@pytest.fixture
def noises(bucket: Bucket, tmp_path: Path) -> str:
    """A catalog in the bucket, and the dataset of a local build in `data`."""
    catalog = small_catalog(tmp_path, 12, seconds=2.0)
    bucket.upload(tmp_path, "noises")
    build(catalog, str(tmp_path / "data"), BuildOptions(workers=1, shards=4))
    return bucket.uri("noises/catalog.csv")


def test_two_builds_at_once_do_no_harm(
    noises: str, shell: Shell, bucket: Bucket, tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    command = ["build", "--catalog", noises, "--dataset", bucket.uri("twice"), "--shards", "4", "--workers", "1"]
    both = [shell.start(*command) for _ in range(2)]
    assert [ended(process)[0] for process in both] == [0, 0]
    assert bucket.contents("twice") == contents(tmp_path / "data")


def test_a_build_that_was_killed_goes_on_and_does_nothing_twice(
    noises: str, shell: Shell, bucket: Bucket, tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    command = ["build", "--catalog", noises, "--dataset", bucket.uri("killed"), "--shards", "4", "--workers", "1"]
    asked: set[str] = set()

    def is_fourth_mark(request: Request) -> bool:
        if request.create and "/features/" in request.name:
            asked.add(request.name)
        return request.create and len(asked) > 3

    shell.proxy.faults = [Fault("unavailable", is_fourth_mark)]  # holds the build there until it is killed
    process = shell.start(*command)
    while len(asked) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = bucket.generations("killed/features")
    marks = [name for name in before if name.endswith(".json")]
    assert len(marks) == 3
    shell.proxy.faults = []
    (work,) = json.loads(shell.run("status", "--dataset", bucket.uri("killed"), "--json"))["work"]
    assert (work["complete"], work["done"]) == (False, len(marks) // 2) and work["last_mark"] < 300
    shell.run(*command)
    after = bucket.generations("killed/features")
    assert {mark: after[mark] for mark in marks} == {mark: before[mark] for mark in marks}
    assert bucket.contents("killed") == contents(tmp_path / "data")
