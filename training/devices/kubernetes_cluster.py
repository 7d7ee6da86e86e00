"""The cluster of an Indexed Job of Kubernetes, whose pods a headless Service gives the names JOB-INDEX.SERVICE.

Kubernetes sets the index of a pod. Neither the number of pods nor their names are in a pod's environment, so the manifest
sets them, as docs/examples/kubernetes/train.yaml does.
"""

from __future__ import annotations

import os
import re

from schemas.console.errors import UserError
from training.devices.cluster import Cluster
from training.devices.launch_variables import read_number, read_variable

ADDRESS = "TAGSCALE_WORKER_ADDRESS"
WORKERS = "TAGSCALE_WORKERS"
INDEX = "JOB_COMPLETION_INDEX"
_PLACE = "{index}"
_EXAMPLE = "tagscale-train-{index}.tagscale-train:2222"  # the Job and the Service of the example manifest
_ADVICE = "see docs/examples/kubernetes/train.yaml"
_PATTERN = re.compile(r"[A-Za-z0-9.-]*\{index\}[A-Za-z0-9.-]*:([0-9]{1,5})")
_MOST_PORT = 65_535


def kubernetes_cluster() -> Cluster | None:
    """The cluster that a manifest names by TAGSCALE_WORKERS and TAGSCALE_WORKER_ADDRESS; None if it sets neither.

    Raises:
        UserError: only one of them is set, one is invalid, or the index of this pod is missing or not in the cluster.
    """
    if not any(os.environ.get(name, "").strip() for name in (ADDRESS, WORKERS)):
        return None
    address = read_variable(ADDRESS, f"the address of a worker, such as {_EXAMPLE}", _ADVICE)
    matched = _PATTERN.fullmatch(address)
    if not matched or not 0 < int(matched[1]) <= _MOST_PORT:
        raise UserError(
            f"{ADDRESS}: expected HOST:PORT with {_PLACE} once in HOST, such as {_EXAMPLE}, received {address}; {_ADVICE}"
        )
    count = read_number(WORKERS, "the number of workers", f"set it to the Job's completions; {_ADVICE}", least=1)
    index = read_number(
        INDEX,
        "the index of this pod among the workers",
        f"Kubernetes sets it in a Job with completionMode: Indexed, whose completions must be {WORKERS} ({count})",
        below=count,
    )
    return Cluster({"worker": tuple(address.replace(_PLACE, str(each)) for each in range(count))}, "worker", index)
