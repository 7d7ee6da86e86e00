"""The examples under docs/examples that train on a cluster: valid for its own schemas, and understood by the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from training.devices.kubernetes_cluster import kubernetes_cluster
from training.run import train_command

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def _options(words: list[str]) -> dict[str, Any]:
    """The options of `train WORDS…` as the command itself reads them."""
    assert words[0] == "train"
    options: dict[str, Any] = train_command.make_context("train", words[1:]).params
    return options


def _require_cluster_training(words: list[str], workers: int) -> None:
    options = _options(words)
    assert options["strategy"] == "multi-worker"
    assert options["batch_size"] % workers == 0


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The objects of the manifest by their kinds."""
    text = (EXAMPLES / "kubernetes" / "train.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_kubernetes_own_schemas_accept_the_manifest(manifest: dict[str, Any]) -> None:
    schemas = pytest.importorskip("kubernetes_validate", reason="the schemas of Kubernetes are not installed")
    misspelt = {**manifest["Job"], "spec": {**manifest["Job"]["spec"], "completionModes": "Indexed"}}
    for version in ("1.31", schemas.latest_version()):
        for each in manifest.values():
            schemas.validate(each, version, strict=True)
        with pytest.raises(schemas.ValidationError, match="completionModes"):
            schemas.validate(misspelt, version, strict=True)


def test_each_pod_of_the_manifest_finds_all_by_the_names_that_kubernetes_gives_them(
    manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, service = manifest["Job"], manifest["Service"]
    name, spec = job["metadata"]["name"], job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert (spec["completionMode"], service["spec"]["clusterIP"]) == ("Indexed", "None")
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    assert spec["parallelism"] == spec["completions"]
    (port,) = {each["containerPort"] for each in container["ports"]} & {
        each["port"] for each in service["spec"]["ports"]
    }
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    for index in range(spec["completions"]):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        cluster = kubernetes_cluster()
        assert cluster is not None
        assert cluster.task_index == index
        assert list(cluster.addresses["worker"]) == [
            f"{name}-{each}.{pod['subdomain']}:{port}" for each in range(spec["completions"])
        ]
    _require_cluster_training(container["args"], spec["completions"])
    (stage,) = container["volumeMounts"]
    assert _options(container["args"])["stage"] == stage["mountPath"]


def test_the_job_starts_pods_again_unless_the_command_is_wrong(manifest: dict[str, Any]) -> None:
    policy = manifest["Job"]["spec"]["podFailurePolicy"]["rules"]
    (container,) = manifest["Job"]["spec"]["template"]["spec"]["containers"]
    by_code = {
        code: rule["action"] for rule in policy if "onExitCodes" in rule for code in rule["onExitCodes"]["values"]
    }
    assert by_code == {2: "FailJob", 75: "Ignore"}
    assert {rule["onExitCodes"]["containerName"] for rule in policy if "onExitCodes" in rule} == {container["name"]}
    assert manifest["Job"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("code", "restarts", "again"),
    [(0, "", False), (1, "", True), (2, "", False), (75, "3", True), (137, "99", True), (1, "100", False)],
)
def test_the_batch_script_starts_again_what_a_new_start_can_finish(
    code: int, restarts: str, again: bool, tmp_path: Path
) -> None:
    programs = {
        "srun": f'printf "%s\\n" "$@" > {tmp_path}/words; exit {code}',
        "scontrol": f'echo "$@" > {tmp_path}/again',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": restarts}
    script = EXAMPLES / "slurm" / "train.sbatch"
    ended = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (code, "")
    assert (tmp_path / "again").exists() == again
    if again:
        assert (tmp_path / "again").read_text() == "requeue 7\n"
    words = (tmp_path / "words").read_text().splitlines()
    settings = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", script.read_text(encoding="utf-8"), re.MULTILINE))
    assert settings["ntasks-per-node"] == "1"
    assert {"requeue", "signal"} <= settings.keys()  # without the first, a requeue is refused
    assert words[1] == "tagscale-train"
    _require_cluster_training(words[2:], int(settings["nodes"]))


@pytest.mark.slow  # the client takes seconds to import
def test_vertex_ai_knows_every_field_of_its_example() -> None:
    custom_job = pytest.importorskip(
        "google.cloud.aiplatform_v1.types.custom_job", reason="its client is not installed"
    )
    fields = yaml.safe_load((EXAMPLES / "vertex" / "train.yaml").read_text(encoding="utf-8"))
    spec = custom_job.CustomJobSpec.from_json(json.dumps(fields), ignore_unknown_fields=False)
    first, second = spec.worker_pool_specs
    assert first.replica_count == 1  # workerpool0, the chief
    assert list(first.container_spec.args) == list(second.container_spec.args)
    assert first.machine_spec == second.machine_spec
    _require_cluster_training(list(first.container_spec.args), first.replica_count + second.replica_count)
