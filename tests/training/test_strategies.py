"""One loop under several strategies: logical devices in one process, two processes on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import SmallDataset

ROOT = Path(__file__).parents[2]

# With synchronized batch norm and no dropout the strategies must agree: what they draw and count is the same.
OPTIONS = (
    "--label-set small --frontend spectrogram --patch-seconds 1 --epochs 2 --batch-size 8 --num-filt 1 "
    "--dense-units 16 --dropout 0 --synchronized-batch-norm"
).split()

TWO_CPUS = (
    "import sys, runpy, tensorflow as tf\n"
    "cpu = tf.config.list_physical_devices('CPU')[0]\n"
    "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def _command(dataset: SmallDataset, out: Path, strategy: str) -> list[str]:
    arguments = ["train", "--dataset", dataset.root, "--strategy", strategy, "--out", str(out), *OPTIONS]
    if strategy == "mirrored":
        return [sys.executable, "-c", TWO_CPUS, "training/run.py", *arguments]
    return [sys.executable, "training/run.py", *arguments]


def _lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _assert_same_run(one: Path, other: Path) -> None:
    """Adam's first steps are signs of gradients: where one is all rounding, a weight may go either way on some CPUs.

    So of the weights a few may differ; of two runs that differ in their batches half of them do.
    """
    for epoch, (first, second) in enumerate(zip(_lines(one), _lines(other), strict=True)):
        for name in ("loss", "validation_loss"):
            assert first[name] == pytest.approx(second[name], rel=5e-3 if epoch else 1e-4)
    (first_file,), (second_file,) = ((run / "checkpoints" / "epoch-000002").glob("*.npz") for run in (one, other))
    with np.load(first_file) as first_arrays, np.load(second_file) as second_arrays:
        assert sorted(first_arrays) == sorted(second_arrays)
        weights = [name for name in first_arrays if name.startswith("model/") and "moving" not in name]
        apart = np.concatenate([np.abs(first_arrays[name] - second_arrays[name]).ravel() for name in weights])
    assert np.mean(apart > 5e-4) < 0.01


@pytest.fixture(scope="module")
def single(small_dataset: SmallDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("single") / "run"
    subprocess.run(_command(small_dataset, out, "single"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.mark.slow
def test_two_replicas_train_as_one_device_does(small_dataset: SmallDataset, single: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    subprocess.run(_command(small_dataset, out, "mirrored"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    _assert_same_run(single, out)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.slow
def test_two_worker_processes_train_as_one_device_does(
    small_dataset: SmallDataset, single: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(2)]}
    workers = []
    for index in range(2):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        with open(tmp_path / f"worker-{index}.log", "w") as log:
            workers.append(
                subprocess.Popen(
                    _command(small_dataset, out, "multi-worker"),
                    cwd=ROOT,
                    env={**os.environ, "TF_CONFIG": config},
                    stdout=log,
                    stderr=log,
                )
            )
    try:
        codes = [worker.wait(timeout=300) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    logs = "\n".join((tmp_path / f"worker-{index}.log").read_text()[-2000:] for index in range(2))
    assert codes == [0, 0], logs
    _assert_same_run(single, out)


@pytest.mark.slow
def test_a_strategy_that_cannot_be_had_is_one_line_and_exit_2(small_dataset: SmallDataset, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    ended = subprocess.run(
        _command(small_dataset, tmp_path / "run", "multi-worker"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: --strategy multi-worker: expected TF_CONFIG")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()
