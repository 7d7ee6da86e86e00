"""The cluster of a custom training job of Vertex AI, from CLUSTER_SPEC.

Vertex AI sets TF_CONFIG itself in jobs of several replicas. It sets only CLUSTER_SPEC in a job of one, which then trains alone
with the same command.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from schemas.console.errors import UserError
from schemas.storage.json_object import parse_json_object
from training.devices.cluster import Cluster, lists_addresses, shown_value

CLUSTER_SPEC = "CLUSTER_SPEC"
TASK_TYPES = {"workerpool0": "chief", "workerpool1": "worker"}  # as in the TF_CONFIG that Vertex AI sets


def vertex_cluster() -> Cluster | None:
    """The replicas of the first pool as the chief and those of the second as workers; None if CLUSTER_SPEC is not set.

    Raises:
        UserError: CLUSTER_SPEC is invalid, or has replicas in other pools, which Vertex AI means for other tasks.
    """
    text = os.environ.get(CLUSTER_SPEC, "").strip()
    if not text:
        return None
    try:
        fields = parse_json_object(text)
    except ValueError:
        _refuse("a JSON object", text)
    pools, task = fields.get("cluster"), fields.get("task")
    if not isinstance(pools, dict) or not isinstance(task, dict):
        _refuse("a cluster and a task", fields)
    for name, listed in pools.items():
        if not lists_addresses(listed):
            _refuse(f"a list of HOST:PORT as {name}", listed)
    if idle := sorted(name for name, listed in pools.items() if listed and name not in TASK_TYPES):
        _refuse(
            "replicas in workerpool0 and workerpool1 only, since parameter servers and evaluators train nothing", idle
        )
    if len(pools.get("workerpool0", [])) != 1:
        _refuse("one replica in workerpool0", pools.get("workerpool0"))
    pool, index = task.get("type"), task.get("index")
    count = len(pools.get(pool, ())) if isinstance(pool, str) else 0
    if not isinstance(pool, str) or not count:
        _refuse("a task in workerpool0 or workerpool1", task)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        _refuse(f"a task index from 0 to {count - 1} in {pool}", index)
    addresses = {task_type: tuple(pools[name]) for name, task_type in TASK_TYPES.items() if pools.get(name)}
    return Cluster(addresses, TASK_TYPES[pool], index)


def _refuse(expected: str, received: Any) -> NoReturn:
    raise UserError(
        f"{CLUSTER_SPEC}: expected {expected}, received {shown_value(received)}; give the job one replica in its first "
        "worker pool and the others in its second, or set TF_CONFIG"
    )
