"""The cluster of multi-worker training: from TF_CONFIG, or from the variables of what launched this process."""

from __future__ import annotations

import os

from schemas.console.errors import UserError
from training.devices.cluster import EXAMPLE, VARIABLE, cluster_from_environment
from training.devices.kubernetes_cluster import ADDRESS, kubernetes_cluster
from training.devices.slurm_cluster import slurm_cluster
from training.devices.vertex_cluster import CLUSTER_SPEC, vertex_cluster


def require_cluster() -> None:
    """Let TF_CONFIG, where TensorFlow looks, describe the cluster: as it is, or as Kubernetes, Slurm or Vertex AI has it.

    Raises:
        UserError: nothing describes a cluster, or the first that does is invalid.
    """
    if cluster_from_environment() is not None:
        return
    cluster = kubernetes_cluster() or slurm_cluster() or vertex_cluster()
    if cluster is None:
        raise UserError(
            f"--strategy multi-worker: expected {VARIABLE} in the environment, or what names a cluster in Kubernetes "
            f"({ADDRESS}), Slurm (srun) or Vertex AI ({CLUSTER_SPEC}), received none; set it such as {EXAMPLE}"
        )
    os.environ[VARIABLE] = cluster.tf_config()
