"""TF_CONFIG as a cluster: the values that it may have, and the errors for others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.console.errors import UserError
from training.devices.cluster import EXAMPLE, Cluster, cluster_from_environment
from training.devices.strategies import make_strategy

WORKERS = {"worker": ["a:1", "b:1"]}
TASK = {"type": "worker", "index": 1}


@pytest.mark.parametrize(
    ("fields", "cluster"),
    [
        ({"cluster": WORKERS, "task": TASK}, Cluster({"worker": ("a:1", "b:1")}, "worker", 1)),
        (
            {"cluster": {"chief": ["c:1"], **WORKERS}, "task": {"type": "chief", "index": "0"}, "environment": "cloud"},
            Cluster({"chief": ("c:1",), "worker": ("a:1", "b:1")}, "chief", 0),
        ),
        ({"cluster": {}, "task": {}}, None),
        ({"cluster": {"worker": []}}, None),
        ({}, None),
    ],
)
def test_the_cluster_and_this_process_place_in_it_are_read(
    fields: dict[str, Any], cluster: Cluster | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", json.dumps(fields))
    assert cluster_from_environment() == cluster


def test_the_example_of_the_advice_is_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", EXAMPLE)
    assert cluster_from_environment() == Cluster({"worker": ("host1:port", "host2:port")}, "worker", 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("garbage", "expected a JSON object, received garbage"),
        ("[1]", r"expected a JSON object, received \[1\]"),
        ('{"x": 1}', "expected a cluster, received"),
        ('{"cluster": []}', "expected a cluster with a list of addresses for each task type"),
        ('{"cluster": {"worker": "a:1"}}', "expected a list of HOST:PORT as the cluster's worker, received a:1"),
        ('{"cluster": {"worker": ["a"]}}', "expected a list of HOST:PORT as the cluster's worker"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}}', "expected at most one chief"),
        ('{"cluster": {"worker": ["a:1"]}}', "expected a task with its type and index, received null"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}', "expected a task with its type and index"),
    ]
    + [
        (json.dumps({"cluster": WORKERS, "task": {"type": kind, "index": index}}), words)
        for kind, index, words in (
            ("evaluator", 0, "expected the task type worker or chief, since no other trains, received evaluator"),
            ("boss", 0, "expected the task type worker or chief"),
            (["worker"], 0, "expected the task type worker or chief"),
            ("chief", 0, r'expected the task\'s type chief in the cluster, received \["worker"\]'),
            ("worker", 2, "expected a task index from 0 to 1, a place in the cluster's list of worker, received 2"),
            ("worker", -1, "expected a task index from 0 to 1"),
            ("worker", None, "expected a task index from 0 to 1"),
        )
    ],
)
def test_what_cannot_be_understood_is_named_with_an_example(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    for strategy in ("auto", "multi-worker"):
        with pytest.raises(UserError, match=f"^TF_CONFIG: {words}.*; set it such as ") as raised:
            make_strategy(strategy)
        assert "\n" not in str(raised.value)


def test_an_empty_cluster_is_one_device_by_itself_and_no_cluster_for_multi_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {}, "task": {}}')
    assert make_strategy("auto").num_replicas_in_sync >= 1
    with pytest.raises(UserError, match="--strategy multi-worker: expected TF_CONFIG .* received none; set it such as"):
        make_strategy("multi-worker")
