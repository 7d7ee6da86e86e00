"""How devices share the work: one tf.distribute strategy for each value of --strategy."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.console.errors import UserError
from training.config import StrategyName
from training.devices.cluster import cluster_from_environment
from training.devices.launched_cluster import require_cluster


def make_strategy(name: StrategyName) -> Any:
    """Make the tf.distribute.Strategy of a name.

    `auto` is multi-worker if TF_CONFIG names a cluster, mirrored if there are several GPUs, and single otherwise. Only
    multi-worker asks Kubernetes, Slurm or Vertex AI for a cluster: their variables are also set where processes train apart.

    Raises:
        UserError: the strategy needs something that is missing, or what describes the cluster is invalid.
    """
    if name == "auto":
        if cluster_from_environment() is not None:
            name = "multi-worker"
        else:
            name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "single"
    if name == "single":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.MirroredStrategy([device.name for device in gpus or tf.config.list_logical_devices("CPU")])
    if name == "multi-worker":
        require_cluster()
        return tf.distribute.MultiWorkerMirroredStrategy()
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"--strategy tpu: expected a TPU, found none ({' '.join(str(error).split())[:200]}); run it on a TPU VM, or "
            "use --strategy auto"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def worker_replicas(strategy: Any) -> range:
    """The replicas that this process feeds, in order."""
    replicas = strategy.num_replicas_in_sync
    resolver = strategy.cluster_resolver
    if (
        resolver is None
        or resolver.task_id is None
        or not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    ):
        return range(replicas)
    workers = len(resolver.cluster_spec().as_dict().get("worker", [])) + len(
        resolver.cluster_spec().as_dict().get("chief", [])
    )
    each = replicas // max(1, workers)
    first = worker_index(strategy) * each
    return range(first, first + each)


def worker_count(strategy: Any) -> int:
    """How many processes share the work."""
    return int(strategy.num_replicas_in_sync // len(worker_replicas(strategy)))


def worker_index(strategy: Any) -> int:
    """The index of this process among the workers; the chief is 0."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return 0
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return int(resolver.task_id) + (1 if has_chief and resolver.task_type == "worker" else 0)


def require_agreement(strategy: Any, text: str, disagreement: str) -> None:
    """Raise UserError with the message `disagreement` in every worker unless all of them pass the same text."""
    if worker_count(strategy) == 1:
        return
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
    if int(sum_over_replicas(strategy, np.array(number))) != number * strategy.num_replicas_in_sync:
        raise UserError(disagreement)


def sum_over_replicas(strategy: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sum of values over all replicas, in every worker; all replicas of a worker contribute the worker's values."""

    @tf.function  # type: ignore[misc]
    def summed(value: Any) -> Any:
        return strategy.run(
            lambda: tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))
        )

    result: npt.NDArray[Any] = strategy.experimental_local_results(summed(tf.constant(values)))[0].numpy()
    return result


def is_chief(strategy: Any) -> bool:
    """True in the one process that writes files."""
    return worker_index(strategy) == 0
