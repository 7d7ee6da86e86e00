"""Indexed Jobs of Kubernetes as clusters, and the errors of their manifests."""

from __future__ import annotations

import pytest

from schemas.console.errors import UserError
from training.devices.cluster import Cluster
from training.devices.kubernetes_cluster import kubernetes_cluster

VARIABLES = {
    "TAGSCALE_WORKERS": "3",
    "TAGSCALE_WORKER_ADDRESS": "genre-{index}.workers.team-a.svc.cluster.local:2222",
    "JOB_COMPLETION_INDEX": "1",
}


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("pod")
def test_workers_have_the_names_that_kubernetes_documents() -> None:
    # "Pods get hostnames $(job-name)-$(index)"; "<hostname>.<subdomain>.<namespace>.svc.<cluster-domain>".
    names = tuple(f"genre-{index}.workers.team-a.svc.cluster.local:2222" for index in range(3))
    assert kubernetes_cluster() == Cluster({"worker": names}, "worker", 1)


def test_a_pod_of_another_job_names_no_cluster(pod: pytest.MonkeyPatch) -> None:
    pod.delenv("TAGSCALE_WORKERS")
    pod.setenv("TAGSCALE_WORKER_ADDRESS", "")
    assert kubernetes_cluster() is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "TAGSCALE_WORKERS",
            "",
            "expected the number of workers in the environment, received nothing; set it to the Job's",
        ),
        ("TAGSCALE_WORKERS", "0", "expected the number of workers, a whole number at least 1, received 0"),
        ("TAGSCALE_WORKERS", "²", "expected the number of workers, a whole number at least 1, received ²"),
        ("TAGSCALE_WORKER_ADDRESS", "", "expected the address of a worker, such as tagscale-train-{index}"),
        (
            "TAGSCALE_WORKER_ADDRESS",
            "genre.workers:1",
            "expected HOST:PORT with {index} once in HOST, .* genre.workers:1",
        ),
        ("TAGSCALE_WORKER_ADDRESS", "a-{index}-{index}:1", "expected HOST:PORT with {index} once"),
        ("TAGSCALE_WORKER_ADDRESS", "a-{index}", "expected HOST:PORT with {index} once"),
        ("TAGSCALE_WORKER_ADDRESS", "a-{index}:70000", "expected HOST:PORT with {index} once"),
        ("TAGSCALE_WORKER_ADDRESS", "http://a-{index}:1", "expected HOST:PORT with {index} once"),
        ("JOB_COMPLETION_INDEX", "", "expected the index of this pod .* received nothing; Kubernetes sets it"),
        (
            "JOB_COMPLETION_INDEX",
            "3",
            r"expected .* from 0 to 2, received 3; .* completions must be TAGSCALE_WORKERS \(3\)",
        ),
    ],
)
def test_what_a_manifest_lacks_is_named(name: str, value: str, words: str, pod: pytest.MonkeyPatch) -> None:
    pod.setenv(name, value)
    with pytest.raises(UserError, match=f"^{name}: {words}") as raised:
        kubernetes_cluster()
    assert "\n" not in str(raised.value)
