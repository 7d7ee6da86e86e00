"""The cluster that the environment variable TF_CONFIG names, checked before TensorFlow reads it."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, NoReturn

from schemas.console.errors import UserError
from schemas.storage.json_object import parse_json_object

VARIABLE = "TF_CONFIG"
TRAINING_TASKS = ("chief", "worker")  # a chief is also a worker, the first one
EXAMPLE = '{"cluster": {"worker": ["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together, and which of them this one is.

    Attributes:
        addresses: HOST:PORT of each process, by the type of its task.
        task_type: chief or worker.
        task_index: number of this process among those of its type.
    """

    addresses: dict[str, tuple[str, ...]]
    task_type: str
    task_index: int

    def tf_config(self) -> str:
        """The value of TF_CONFIG that describes the cluster and this process to TensorFlow."""
        task = {"type": self.task_type, "index": self.task_index}
        return json.dumps({"cluster": self.addresses, "task": task})


def cluster_from_environment() -> Cluster | None:
    """The cluster of TF_CONFIG; None if it is not set or names no process.

    Raises:
        UserError: TF_CONFIG is invalid, or this process has no place in the cluster.
    """
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        return None
    try:
        fields = parse_json_object(text)
    except ValueError:
        _refuse("a JSON object", text)
    if not fields:
        return None
    if "cluster" not in fields:
        _refuse("a cluster", text)
    addresses = _addresses(fields["cluster"])
    if not addresses:
        return None
    task = fields.get("task")
    if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
        _refuse("a task with its type and index", task)
    task_type, index = task["type"], task["index"]
    if task_type not in TRAINING_TASKS:
        _refuse("the task type worker or chief, since no other trains", task_type)
    count = len(addresses.get(task_type, ()))
    if not count:
        _refuse(f"the task's type {task_type} in the cluster", sorted(addresses))
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        _refuse(f"a task index from 0 to {count - 1}, a place in the cluster's list of {task_type}", index)
    return Cluster(addresses, task_type, index)


def _addresses(cluster: Any) -> dict[str, tuple[str, ...]]:
    """Task type -> addresses, without types that have none."""
    if not isinstance(cluster, dict):
        _refuse("a cluster with a list of addresses for each task type", cluster)
    for name, listed in cluster.items():
        if not lists_addresses(listed):
            _refuse(f"a list of HOST:PORT as the cluster's {name}", listed)
    if len(cluster.get("chief", [])) > 1:
        _refuse("at most one chief", cluster["chief"])
    return {name: tuple(listed) for name, listed in cluster.items() if listed}


def lists_addresses(value: Any) -> bool:
    """Whether a value is a list of HOST:PORT, which may be empty."""
    return isinstance(value, list) and all(isinstance(one, str) and ":" in one for one in value)


def shown_value(received: Any) -> str:
    """A value of a variable in JSON, or a part of it, in one short line for an error."""
    shown = " ".join((received if isinstance(received, str) else json.dumps(received)).split())
    return shown if len(shown) <= 100 else f"{shown[:100]}…"


def _refuse(expected: str, received: Any) -> NoReturn:
    raise UserError(
        f"{VARIABLE}: expected {expected}, received {shown_value(received)}; set it such as {EXAMPLE}, or unset it "
        "to train on this machine alone"
    )
