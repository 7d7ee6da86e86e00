"""CLUSTER_SPEC as a cluster: the same as in the TF_CONFIG that Vertex AI sets beside it, and the errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.console.errors import UserError
from training.devices.cluster import Cluster, cluster_from_environment
from training.devices.vertex_cluster import vertex_cluster

# The values are those of Google's page on distributed training; it shows both variables.
CHIEF = ["training-workerpool0-ab-0:2222"]
WORKERS = ["training-workerpool1-ab-0:2222", "training-workerpool1-ab-1:2222"]
POOLS = {"workerpool0": CHIEF, "workerpool1": WORKERS}


@pytest.mark.parametrize(
    ("pool", "kind", "index"), [("workerpool0", "chief", 0), ("workerpool1", "worker", 0), ("workerpool1", "worker", 1)]
)
def test_the_cluster_is_that_of_the_tf_config_beside_it(
    pool: str, kind: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"cluster": POOLS, "environment": "cloud", "task": {"type": pool, "index": index, "trial": "1"}, "job": {}}
    config = {
        "cluster": {"chief": CHIEF, "worker": WORKERS},
        "environment": "cloud",
        "job": {},
        "task": {"cloud": "cd", "index": index, "trial": "1", "type": kind},
    }
    monkeypatch.setenv("CLUSTER_SPEC", json.dumps(spec))
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert vertex_cluster() == cluster_from_environment()


def test_a_single_replica_is_a_cluster_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"cluster": {"workerpool0": CHIEF}, "task": {"type": "workerpool0", "index": 0}}
    monkeypatch.setenv("CLUSTER_SPEC", json.dumps(spec))
    assert vertex_cluster() == Cluster({"chief": tuple(CHIEF)}, "chief", 0)
    monkeypatch.delenv("CLUSTER_SPEC")
    assert vertex_cluster() is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("garbage", "expected a JSON object, received garbage"),
        ({"cluster": POOLS}, "expected a cluster and a task, received"),
        ({"cluster": {**POOLS, "workerpool2": ["p:1"]}}, r'expected replicas in workerpool0 and .* \["workerpool2"\]'),
        ({"cluster": {"workerpool1": WORKERS}}, "expected one replica in workerpool0, received null"),
        ({"cluster": {"workerpool0": WORKERS}}, "expected one replica in workerpool0, received"),
        ({"cluster": {"workerpool0": ["a"]}}, "expected a list of HOST:PORT as workerpool0"),
        ({"cluster": {"workerpool0": "a:1"}}, "expected a list of HOST:PORT as workerpool0, received a:1"),
    ]
    + [
        ({"cluster": POOLS, "task": {"type": pool, "index": index}}, words)
        for pool, index, words in (
            ("workerpool3", 0, "expected a task in workerpool0 or workerpool1, received"),
            (None, 0, "expected a task in workerpool0 or workerpool1"),
            ("workerpool1", 2, "expected a task index from 0 to 1 in workerpool1, received 2"),
            ("workerpool1", None, "expected a task index from 0 to 1 in workerpool1, received null"),
        )
    ],
)
def test_what_cannot_train_is_named(spec: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(spec, dict) and spec != {"cluster": POOLS}:
        spec = {"task": {"type": "workerpool0", "index": 0}, **spec}
    monkeypatch.setenv("CLUSTER_SPEC", spec if isinstance(spec, str) else json.dumps(spec))
    with pytest.raises(UserError, match=f"^CLUSTER_SPEC: {words}.*; give the job one replica in its first") as raised:
        vertex_cluster()
    assert "\n" not in str(raised.value)
