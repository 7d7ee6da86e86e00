"""A job for Dataflow, staged as a template in a bucket and read there: nothing is submitted, and nobody is asked for a login."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.portability.common_urns import resource_hints

from tests.buckets.conftest import Bucket, Shell
from tests.conftest import small_catalog
from tests.warm_commands import run_warm

pytestmark = pytest.mark.slow

TEMPLATE_BYTES = 100_000  # Dataflow takes ten million; test_transforms.py holds the graph of 7,500 shards
IMAGE = "europe-docker.pkg.dev/music/tagscale/worker:1"


@pytest.fixture
def staged(shell: Shell, bucket: Bucket, tmp_path: Path) -> tuple[str, bytes]:
    """What the command printed, and the template."""
    (tmp_path / "music").mkdir()
    small_catalog(tmp_path / "music", 12, seconds=0.5)
    bucket.upload(tmp_path / "music", "music")
    settings = {
        "project": "music-tagging",
        "region": "europe-west1",
        "temp_location": bucket.uri("tmp"),
        "image": IMAGE,
        "machine_type": "n1-standard-4",
        "max_workers": "200",
        "template": bucket.uri("templates/build"),
    }
    config = tmp_path / "dataflow.yaml"
    config.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()) + "labels: {team: mir}\n")
    build = ["build", "--catalog", bucket.uri("music/catalog.csv"), "--dataset", bucket.uri("data"), "--shards", "6"]
    words = ["-m", "pipeline.run", *build, "--engine", "dataflow", "--engine-config", config, "--", "--no_auth"]
    # Without the proxy, which does not know the requests of Google's own client.
    environment = {**shell.environment, "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{bucket.port}"}
    printed = run_warm(words, cwd=tmp_path, env=environment, check=True).stdout
    return printed, bucket.get("templates/build")


def test_the_template_is_staged_once_small_and_with_what_workers_need(
    staged: tuple[str, bytes], shell: Shell, bucket: Bucket
) -> None:
    printed, data = staged
    where = f"--region=europe-west1 --gcs-location={bucket.uri('templates/build')}"
    assert f"gcloud dataflow jobs run NAME --project=music-tagging {where}" in printed
    assert len(data) < TEMPLATE_BYTES
    job: dict[str, Any] = json.loads(data)
    text = data.decode()
    assert "00.wav" not in text and "catalog.csv" not in text  # the catalog lies in the plan, not in the graph
    (pool,) = job["environment"]["workerPools"]
    (image,) = pool["sdkHarnessContainerImages"]  # a second set of needs would start as many workers again
    assert image["containerImage"] == IMAGE
    assert pool["machineType"] == "n1-standard-4"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 200
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert options["number_of_worker_harness_threads"] == 1
    assert not options.get("save_main_session")
    assert job["labels"] == {"team": "mir"}
    staged_names = list(bucket.contents("tmp"))
    (name,) = [name for name in staged_names if name.endswith("/pipeline.pb")]
    assert not [name for name in staged_names if "pickled_main_session" in name]
    graph = beam_runner_api_pb2.Pipeline.FromString(bucket.get(f"tmp/{name}")).components
    writing = next(step for step in graph.transforms.values() if step.unique_name == "WriteShards/WriteShard")
    hints = dict(graph.environments[writing.environment_id].resource_hints)
    assert hints == {resource_hints.MIN_RAM_BYTES.urn: b"2000000000", resource_hints.CPU_COUNT.urn: b"1"}
    (work,) = json.loads(shell.run("status", "--dataset", bucket.uri("data"), "--json"))["work"]
    assert (work["shards"], work["done"], work["complete"]) == (6, 0, False)
