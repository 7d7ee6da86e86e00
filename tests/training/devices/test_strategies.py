"""One loop under several strategies: logical devices in one process, two processes on loopback, two hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from schemas.console.stopping import STOPPED_WORDS
from schemas.dataset import Dataset
from tests.training.conftest import SmallDataset
from tests.training.devices.two_hosts import ENTER_HOST, TwoHosts, on_loopback, two_hosts
from tests.warm_commands import WarmCommand, run_warm
from training.config import TrainConfig
from training.runs.build_model import build_model

ROOT = Path(__file__).parents[3]

# With synchronized batch norm and no dropout the strategies must agree, since their draws and their statistics are equal.
OPTIONS = (
    "--label-set small --frontend spectrogram --patch-seconds 1 --num-filt 1 --dense-units 16 --dropout 0 "
    "--synchronized-batch-norm"
).split()
A_FEW_STEPS = "--epochs 4 --batch-size 22".split()  # one step per epoch

TWO_CPUS = (
    "import sys, runpy, tensorflow as tf\n"
    "tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})\n"
    "cpu = tf.config.list_physical_devices('CPU')[0]\n"
    "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)

# Graphs that run as they are traced: optimizing them takes a third of the time of these small trainings.
PLAIN_GRAPHS = (
    ENTER_HOST + "import sys, runpy\n"
    "from training.devices.tensorflow_import import import_tensorflow\n"
    "import_tensorflow()\n"  # quietly, as the commands do
    "import tensorflow as tf\n"
    "tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)

# oneDNN's kernels round differently for other batch sizes, and so do the kernels for one thread; on some CPUs the
# difference is larger than these runs may differ.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TF_NUM_")}
ENVIRONMENT["TF_ENABLE_ONEDNN_OPTS"] = "0"


def _command(dataset: SmallDataset, out: Path, strategy: str, options: list[str] = A_FEW_STEPS) -> list[str]:
    arguments = ["train", "--dataset", dataset.root, "--strategy", strategy, "--out", str(out), *OPTIONS, *options]
    return ["-c", TWO_CPUS if strategy == "mirrored" else PLAIN_GRAPHS, "training/run.py", *arguments]


def _lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def _assert_same_run(one: Path, other: Path) -> None:
    """Check that losses and weights agree to 1e-5 after four steps.

    Adam's first steps follow the signs of gradients: if a gradient is only rounding error, its weight may move the other
    way. With which tracks meet in a batch, this is one weight in eighty thousand to one in eight thousand; with different
    batches in the two runs, it would be half of all.
    """
    for first, second in zip(_lines(one), _lines(other), strict=True):
        for name in ("loss", "validation_loss"):
            assert first[name] == pytest.approx(second[name], rel=1e-5)
        for name in ("validation_roc_auc", "validation_pr_auc"):  # over every track once: their number is odd
            assert first[name] == pytest.approx(second[name], abs=1e-9)
    (first_file,), (second_file,) = ((run / "checkpoints" / "step-000000004").glob("*.npz") for run in (one, other))
    with np.load(first_file) as first_arrays, np.load(second_file) as second_arrays:
        assert sorted(first_arrays) == sorted(second_arrays)
        weights = [name for name in first_arrays if name.startswith("model/")]
        apart = np.concatenate([np.abs(first_arrays[name] - second_arrays[name]).ravel() for name in weights])
    assert np.mean(apart > 1e-5) < 1e-3
    assert apart.max() < 1e-3


def test_replicas_share_statistics_by_default_where_there_are_several(
    small_dataset: SmallDataset, small_config: TrainConfig
) -> None:
    spec = Dataset.open(small_dataset.root).spec("logmel")

    def shared(config: TrainConfig, replicas: int) -> bool:
        return build_model(config, 3, spec, replicas=replicas).get_layer("backend1_norm").synchronized

    apart = dataclasses.replace(small_config, synchronized_batch_norm=False)
    assert [shared(small_config, 2), shared(small_config, 1), shared(apart, 2)] == [True, False, False]


@pytest.fixture(scope="module")
def odd_dataset(small_dataset: SmallDataset, tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    """A dataset with a number of validation tracks that two workers cannot share evenly."""
    from pipeline.removal.remove import remove
    from schemas.label_version import open_labels, without_removed

    folder = tmp_path_factory.mktemp("odd")
    copy = small_dataset.copy(folder / "copy")
    dataset = Dataset.open(copy.root)
    labels = open_labels(dataset, "small").table.to_pylist()
    (folder / "gone.txt").write_text(next(row["track_id"] for row in labels if row["split"] == "validation") + "\n")
    remove(copy.root, str(folder / "gone.txt"))
    left, _ = without_removed(dataset, open_labels(dataset, "small").table)
    assert left["split"].to_pylist().count("validation") % 2 == 1
    return copy


@pytest.fixture(scope="module")
def single(odd_dataset: SmallDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("single") / "run"
    run_warm(_command(odd_dataset, out, "single"), env=ENVIRONMENT, check=True)
    return out


@pytest.mark.slow
def test_two_replicas_train_as_one_device_does(odd_dataset: SmallDataset, single: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_warm(_command(odd_dataset, out, "mirrored"), env=ENVIRONMENT, check=True)
    _assert_same_run(single, out)


@contextlib.contextmanager
def _two_workers(
    dataset: SmallDataset, out: Path, options: list[str], hosts: TwoHosts | None = None
) -> Iterator[list[WarmCommand]]:
    command = _command(dataset, out, "multi-worker", options)
    hosts = hosts or on_loopback()
    workers = [WarmCommand(command, env={**ENVIRONMENT, **variables}) for variables in hosts.variables]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.slow
def test_two_worker_processes_train_as_one_device_does_and_one_goes_on_alone(
    odd_dataset: SmallDataset, single: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with _two_workers(odd_dataset, out, A_FEW_STEPS) as workers:
        codes = [worker.wait(timeout=300) for worker in workers]
    assert codes == [0, 0], [worker.printed()[1][-2000:] for worker in workers]
    _assert_same_run(single, out)
    longer = ["--epochs", "5", "--batch-size", "22"]
    run_warm(_command(odd_dataset, out, "single", longer), env=ENVIRONMENT, check=True)
    assert [line["epoch"] for line in _lines(out)] == [1, 2, 3, 4, 5]


# With a checkpoint after each second epoch, and at no other time.
ENDLESS = "--epochs 9999 --batch-size 6 --validate-every 2 --checkpoint-minutes 99".split()


def _newest_state(run: Path) -> dict[str, int]:
    """The position in the newest checkpoint; nothing if there is none."""
    for path in sorted(run.glob("checkpoints/step-*/state.json"), reverse=True):
        state: dict[str, int] = json.loads(path.read_text())["state"]
        return state
    return {}


def _assert_lost(survivor: WarmCommand) -> None:
    """Check that a worker ends within a minute, and says why."""
    assert survivor.wait(timeout=60) == 1, survivor.printed()
    last = survivor.printed()[1].splitlines()[-1]
    assert last.startswith("error: another worker is gone or cannot be reached; start the same command again on every")


@pytest.mark.slow
def test_the_other_worker_ends_with_clear_words_when_the_first_is_killed(
    odd_dataset: SmallDataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with _two_workers(odd_dataset, out, ENDLESS) as workers:
        _wait_for((out / "metrics.jsonl").exists)
        workers[0].kill()
        _assert_lost(workers[1])


@pytest.mark.slow
def test_of_two_hosts_one_is_lost_and_the_same_command_goes_on_until_one_is_stopped(
    odd_dataset: SmallDataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with two_hosts() as hosts:
        with _two_workers(odd_dataset, out, ENDLESS, hosts) as workers:
            _wait_for(lambda: _newest_state(out).get("epoch", 0) > 0)
            hosts.pull_cable(1)
            workers[1].kill()
            _assert_lost(workers[0])
        hosts.plug_in(1)
        saved = _newest_state(out)
        kept = _lines(out)[: saved["epoch"]]
        with _two_workers(odd_dataset, out, ENDLESS, hosts) as workers:
            first = int(workers[0].wait_until_printed(r"train: (\d+) of", timeout=240)[1])
            assert first > saved["step"]
            _wait_for(lambda: len(_lines(out)) > len(kept))
            workers[1].terminate()
            codes = [worker.wait(timeout=60) for worker in workers]
            logs = [worker.printed()[1][-2000:] for worker in workers]
    assert codes == [75, 75], logs
    assert [log.splitlines()[-1] for log in logs] == [STOPPED_WORDS] * 2
    state = _newest_state(out)
    assert state["step"] == 4 * state["epoch"] + state["epoch_step"]
    assert state["step"] > 4 * len(_lines(out)) or state["epoch_step"] == 0
    assert _lines(out)[: len(kept)] == kept


@pytest.mark.slow
def test_workers_that_were_started_differently_say_so(odd_dataset: SmallDataset, tmp_path: Path) -> None:
    command = _command(odd_dataset, tmp_path / "run", "multi-worker")
    workers = [
        WarmCommand([*command, "--seed", index], env={**ENVIRONMENT, **variables})
        for index, variables in enumerate(on_loopback().variables)
    ]
    ended = [worker.communicate(timeout=240)[1].splitlines()[-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [2, 2]
    assert all(line.startswith("error: the workers' configurations differ; start the same command") for line in ended)


@pytest.mark.slow
def test_a_batch_that_the_replicas_cannot_share_is_refused_with_sizes_that_fit(
    odd_dataset: SmallDataset, tmp_path: Path
) -> None:
    command = _command(odd_dataset, tmp_path / "run", "mirrored", ["--batch-size", "7"])
    ended = run_warm(command, env=ENVIRONMENT)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "error: --batch-size 7: expected a multiple of the 2 replicas; 6 or 8 would be one"
    )


@pytest.mark.slow
def test_a_strategy_that_cannot_be_had_is_one_line_and_exit_2(odd_dataset: SmallDataset, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    ended = run_warm(_command(odd_dataset, tmp_path / "run", "multi-worker"), env=environment)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: --strategy multi-worker: expected TF_CONFIG")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()
