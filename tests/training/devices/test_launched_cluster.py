"""Which of the clusters in the environment multi-worker training takes, and that no other strategy takes one."""

from __future__ import annotations

import json
import os

import pytest
import tensorflow as tf

from schemas.console.errors import UserError
from training.devices.launched_cluster import require_cluster
from training.devices.strategies import make_strategy

SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_NODEID": "1",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NODELIST": "n[1-2]",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
}
KUBERNETES = {"TAGSCALE_WORKERS": "2", "TAGSCALE_WORKER_ADDRESS": "k-{index}.k:1", "JOB_COMPLETION_INDEX": "0"}
VERTEX = {
    "CLUSTER_SPEC": json.dumps(
        {"cluster": {"workerpool0": ["c:1"], "workerpool1": ["w:1"]}, "task": {"type": "workerpool1", "index": 0}}
    )
}
OWN = json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}})


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No cluster, and TF_CONFIG as it was after the test."""
    monkeypatch.setenv("TF_CONFIG", "")
    for name in (*SLURM, *KUBERNETES, *VERTEX):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "cluster", "task"),
    [
        (KUBERNETES | SLURM | VERTEX, {"worker": ["k-0.k:1", "k-1.k:1"]}, ("worker", 0)),
        (SLURM | VERTEX, {"worker": ["n1:12448", "n2:12448"]}, ("worker", 1)),
        (VERTEX, {"chief": ["c:1"], "worker": ["w:1"]}, ("worker", 0)),
        (KUBERNETES | {"TF_CONFIG": "{}"}, {"worker": ["k-0.k:1", "k-1.k:1"]}, ("worker", 0)),
        (KUBERNETES | {"TF_CONFIG": OWN}, {"worker": ["a:1", "b:1"]}, ("worker", 1)),
    ],
)
def test_tensorflow_reads_the_cluster_from_tf_config(
    variables: dict[str, str], cluster: object, task: tuple[str, int], environment: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    require_cluster()
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    assert resolver.cluster_spec().as_dict() == cluster
    assert (resolver.task_type, resolver.task_id) == task


@pytest.mark.parametrize("strategy", ["auto", "single"])
def test_other_strategies_train_alone_in_an_allocation_as_they_did(
    strategy: str, environment: pytest.MonkeyPatch
) -> None:
    for name, value in (KUBERNETES | SLURM | VERTEX).items():
        environment.setenv(name, value)
    assert not isinstance(make_strategy(strategy), tf.distribute.MultiWorkerMirroredStrategy)
    assert not os.environ["TF_CONFIG"]


@pytest.mark.usefixtures("environment")
def test_without_a_cluster_the_error_says_where_one_was_looked_for() -> None:
    with pytest.raises(
        UserError, match="expected TF_CONFIG .*TAGSCALE_WORKER_ADDRESS.*srun.*CLUSTER_SPEC.*received none"
    ):
        make_strategy("multi-worker")
