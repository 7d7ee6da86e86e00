"""Copies on a local disk are whole, checked, made in order of use and shared by processes, and do not change a run."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.console.errors import DatasetError, UserError
from schemas.manifests import ShardManifest
from schemas.storage.files import TEMPORARY_PREFIX
from schemas.storage.store_client import StoreError
from training.config import TrainConfig
from training.data import staging
from training.data.staging import COPIES, Payload, Stage, open_stage

ROOT = Path(__file__).parents[3]


@pytest.fixture
def payloads(tmp_path: Path) -> list[Payload]:
    """Ten payloads in a folder, with their done marks."""
    return [payload(tmp_path / "data" / f"part-{number}", os.urandom(100_000 + number)) for number in range(10)]


def payload(path: Path, data: bytes) -> Payload:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return str(path), ShardManifest(path.name, 1, len(data), digest, 1, digest)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that in 10 s")


def all_staged(stage: Stage, payloads: list[Payload]) -> bool:
    return all(stage.place_of(uri) != uri for uri, _ in payloads)


def test_a_link_that_lies_where_a_copy_would_is_not_followed(payloads: list[Payload], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "stage").mkdir()
    uri, mark = payloads[0]
    (tmp_path / "stage" / f"{TEMPORARY_PREFIX}{mark.sha256}").symlink_to("../thesis.tex")

    def is_said() -> bool:
        try:
            return stage.place_of(uri) != uri
        except OSError as error:
            return error.errno == errno.ELOOP

    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin([(uri, mark)])
        wait_until(is_said)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_payload_is_read_where_it_lies_until_its_copy_is_there(
    payloads: list[Payload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def download(uri: str, path: str) -> None:
        assert go_on.wait(10)
        shutil.copyfile(uri, path)

    monkeypatch.setattr(staging, "download", download)
    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin(payloads)
        assert [stage.place_of(uri) for uri, _ in payloads] == [uri for uri, _ in payloads]
        go_on.set()
        wait_until(lambda: all_staged(stage, payloads))
        for uri, mark in payloads:
            copy = stage.place_of(uri)
            assert copy == str(tmp_path / "stage" / f"{mark.sha256}.tfrecord")
            assert Path(copy).read_bytes() == Path(uri).read_bytes()
        assert stage.place_of("another") == "another"
    assert len(os.listdir(tmp_path / "stage")) == len(payloads)


def test_copies_are_made_in_order_and_a_few_at_a_time(
    payloads: list[Payload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    running: list[int] = []
    lock = threading.Lock()

    def download(uri: str, path: str) -> None:
        with lock:
            begun.append(uri)
            running.append(len(begun) - len(list((tmp_path / "stage").glob("*.tfrecord"))))
        time.sleep(0.02)
        shutil.copyfile(uri, path)

    monkeypatch.setattr(staging, "download", download)
    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin([*payloads[5:], *payloads])
        wait_until(lambda: all_staged(stage, payloads))
    wanted = [uri for uri, _ in [*payloads[5:], *payloads[:5]]]
    assert sorted(begun[:COPIES]) == sorted(wanted[:COPIES])
    assert max(abs(begun.index(uri) - wanted.index(uri)) for uri in wanted) < COPIES
    assert 1 < max(running) <= COPIES


def test_what_a_run_left_is_used_by_the_next(
    payloads: list[Payload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin(payloads)
        wait_until(lambda: all_staged(stage, payloads))
    assert "10 of 10 payloads are being copied there" in capsys.readouterr().err
    cut = tmp_path / "stage" / f"{payloads[3][1].sha256}.tfrecord"
    cut.write_bytes(cut.read_bytes()[:-1])
    copied = []
    monkeypatch.setattr(staging, "download", lambda uri, path: (copied.append(uri), shutil.copyfile(uri, path)))
    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin(payloads)
        wait_until(lambda: all_staged(stage, payloads))
    assert copied == [payloads[3][0]]
    assert cut.read_bytes() == Path(payloads[3][0]).read_bytes()


def test_other_bytes_than_those_of_the_done_mark_are_an_error_where_they_are_read(
    payloads: list[Payload], tmp_path: Path
) -> None:
    uri, mark = payloads[0]
    Path(uri).write_bytes(os.urandom(mark.bytes))

    def fails() -> bool:
        try:
            return stage.place_of(uri) != uri
        except DatasetError as error:
            assert str(error) == f"{uri}: its bytes do not match its done mark (the SHA-256 differs)"
            return True

    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin([(uri, mark)])
        wait_until(fails)
    assert not (tmp_path / "stage" / f"{mark.sha256}.tfrecord").exists()


def test_a_disk_without_room_is_named_before_anything_is_copied(
    payloads: list[Payload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = sum(mark.bytes for _, mark in payloads)
    usage = namedtuple("usage", "free")
    with Stage(str(tmp_path / "stage")) as stage:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(needed - 1))
        with pytest.raises(UserError, match=r"expected room for 10 payloads \(0.001 GB\), 0.001 GB are free"):
            stage.begin(payloads)
        assert os.listdir(tmp_path / "stage") == []
    with Stage(str(tmp_path / "stage")) as stage:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(needed))
        stage.begin(payloads)
        wait_until(lambda: all_staged(stage, payloads))


def test_a_stage_is_a_local_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--stage gs://bucket/stage: expected a folder on a local disk"):
        Stage("gs://bucket/stage")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: cannot be made: File exists; name another folder"):
        Stage(str(tmp_path / "file"))
    with open_stage(None) as stage:
        assert stage is None


def test_what_another_process_copies_is_left_to_it_and_taken_over_when_it_is_killed(
    payloads: list[Payload], tmp_path: Path
) -> None:
    (tmp_path / "stage").mkdir()
    temporary = tmp_path / "stage" / f".tmp-{payloads[0][1].sha256}"
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys; file = open(sys.argv[1], 'w'); file.write('a part'); file.flush();"
         "fcntl.flock(file, fcntl.LOCK_EX); print(); sys.stdout.flush(); sys.stdin.read()", str(temporary)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    with Stage(str(tmp_path / "stage")) as stage:
        stage.begin(payloads)
        wait_until(lambda: all_staged(stage, payloads[1:]))
        assert stage.place_of(payloads[0][0]) == payloads[0][0]
        holder.kill()
        wait_until(lambda: all_staged(stage, payloads))
    holder.communicate()
    assert not temporary.exists()
    assert Path(stage.place_of(payloads[0][0])).read_bytes() == Path(payloads[0][0]).read_bytes()


STAGING = """
import sys, time
from schemas.manifests import ShardManifest
from training.data.staging import Stage
stage, payloads = Stage(sys.argv[1]), []
for path in sys.argv[2:]:
    data = open(path, "rb").read()
    digest = __import__("hashlib").sha256(data).hexdigest()
    payloads.append((path, ShardManifest("part", 1, len(data), digest, 1, digest)))
stage.begin(payloads)
while not all(stage.place_of(uri) != uri for uri, _ in payloads):
    time.sleep(0.001)
"""


@pytest.mark.slow
def test_several_processes_fill_one_folder_at_once(payloads: list[Payload], tmp_path: Path) -> None:
    files = [uri for uri, _ in payloads]
    command = [sys.executable, "-c", STAGING, str(tmp_path / "stage"), *files]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        _, words = process.communicate(timeout=60)
        assert process.returncode == 0, words
    assert sorted(os.listdir(tmp_path / "stage")) == sorted(f"{mark.sha256}.tfrecord" for _, mark in payloads)
    for uri, mark in payloads:
        assert (tmp_path / "stage" / f"{mark.sha256}.tfrecord").read_bytes() == Path(uri).read_bytes()


@pytest.mark.slow
def test_a_run_is_the_same_with_a_stage_and_another_one_after_a_stop(
    small_config: TrainConfig, small_run: str, tmp_path: Path
) -> None:
    from training.fit.train import train

    for number, epochs in enumerate((1, small_config.epochs)):
        config = dataclasses.replace(small_config, epochs=epochs)
        train(config, str(tmp_path / "run"), stage=str(tmp_path / f"stage {number}"))
        assert len(os.listdir(tmp_path / f"stage {number}")) > 0
    (newest,) = Path(small_run, "checkpoints").glob("step-*4")
    losses = [[json.loads(line)["loss"] for line in Path(run, "metrics.jsonl").read_text().splitlines()]
              for run in (small_run, tmp_path / "run")]  # fmt: skip
    assert losses[0] == losses[1]
    for name in ("config.json", "checkpoints/best/state.json", f"checkpoints/{newest.name}/state.json"):
        assert (tmp_path / "run" / name).read_bytes() == Path(small_run, name).read_bytes()


@pytest.mark.slow
def test_an_error_of_the_store_in_a_reading_thread_keeps_its_words(
    small_config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.data import records
    from training.fit.train import train

    def fail(uri: str, offset: int, length: int) -> bytes:
        raise StoreError(errno.EIO, "the store failed", uri)

    monkeypatch.setattr(records, "read_range", fail)
    with pytest.raises(StoreError, match="the store failed: '.*tfrecord'"):
        train(small_config, str(tmp_path / "run"))
