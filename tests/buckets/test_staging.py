"""Staging from a bucket copies each payload once, however many processes want it and whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from tests.buckets.conftest import Bucket, Shell, ended
from tests.buckets.proxy import Fault
from tests.conftest import small_catalog

pytestmark = pytest.mark.slow

STAGING = """
import sys, time
from schemas.dataset import Dataset
from training.data.staging import Stage
dataset = Dataset.open(sys.argv[1])
spec = dataset.spec("waveform")
payloads = [dataset.payload(spec, 0, shard) for shard in range(dataset.manifest.generations[0].shards)]
with Stage(sys.argv[2]) as stage:
    stage.begin(payloads)
    while not all(stage.place_of(uri) != uri for uri, _ in payloads):
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def payloads(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """SHA-256 -> bytes of the waveform payloads of a dataset in the bucket."""
    folder = tmp_path_factory.mktemp("built")
    build(small_catalog(folder, 24, seconds=3.0), str(folder / "data"), BuildOptions(workers=1, shards=6))
    bucket.upload(folder / "data", "data")
    from schemas.dataset import Dataset

    dataset = Dataset.open(str(folder / "data"))
    spec = dataset.spec("waveform")
    found = [dataset.payload(spec, 0, shard) for shard in range(6)]
    return {mark.sha256: Path(uri).read_bytes() for uri, mark in found}


def start(shell: Shell, bucket: Bucket, stage: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STAGING, bucket.uri("data"), str(stage)]
    return subprocess.Popen(command, env=shell.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def staged(folder: Path) -> dict[str, bytes]:
    return {path.name.removesuffix(".tfrecord"): path.read_bytes() for path in folder.iterdir()}


def test_three_processes_copy_each_payload_once(
    payloads: dict[str, bytes], shell: Shell, bucket: Bucket, tmp_path: Path
) -> None:
    shell.proxy.faults = [Fault("delay", lambda request: request.kind == "download" and "features" in request.name)]
    processes = [start(shell, bucket, tmp_path / "stage") for _ in range(3)]
    assert [ended(process)[0] for process in processes] == [0, 0, 0]
    assert staged(tmp_path / "stage") == payloads
    sent = {name: count for name, count in shell.proxy.sent.items() if name.endswith(".tfrecord")}
    assert sorted(sent.values()) == sorted(map(len, payloads.values()))


def test_staging_recovers_from_faults(payloads: dict[str, bytes], shell: Shell, bucket: Bucket, tmp_path: Path) -> None:
    def copied(request: object) -> bool:
        return getattr(request, "kind", "") == "download" and "tfrecord" in getattr(request, "name", "")

    shell.proxy.faults = [Fault(effect, copied, times=2) for effect in ("cut", "short", "garbled", "unavailable")]
    code, _, words = ended(start(shell, bucket, tmp_path / "stage"))
    assert code == 0, words
    assert all(len(fault.met) == 2 for fault in shell.proxy.faults)
    assert staged(tmp_path / "stage") == payloads


def test_what_a_killed_process_began_is_made_whole(
    payloads: dict[str, bytes], shell: Shell, bucket: Bucket, tmp_path: Path
) -> None:
    shell.proxy.faults = [Fault("delay", lambda request: request.kind == "download" and "features" in request.name)]
    process = start(shell, bucket, tmp_path / "stage")
    while not (tmp_path / "stage").exists() or not any((tmp_path / "stage").glob(".tmp-*")):
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert any((tmp_path / "stage").glob(".tmp-*"))
    assert ended(start(shell, bucket, tmp_path / "stage"))[0] == 0
    assert staged(tmp_path / "stage") == payloads
