"""Steps of Slurm as clusters, compared with TensorFlow's own resolver where that is right, and the errors."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver

from schemas.console.errors import UserError
from training.devices.cluster import Cluster
from training.devices.slurm_cluster import (
    FIRST_PORT,
    PORTS_PER_STEP,
    RANGES,
    expand_node_list,
    expand_tasks_per_node,
    slurm_cluster,
)

LISTS = [
    "n1",
    "n[1-2],m5,o[3-4,6,7-9]",
    "gpu-a[007-010,12]",
    "login.cluster,n[09-11]",
    "n[1]",
    "[1-3]",
    "n-1,n-2",
    "rack1-n[98-101]",
]


def _step(monkeypatch: pytest.MonkeyPatch, nodes: str, each: str, rank: int, **others: str) -> None:
    """The variables that `srun` sets for a task, of which there are as many as `each` says."""
    counts = slurm_cluster_resolver.expand_tasks_per_node(each)
    places = [(node, local) for node, count in enumerate(counts) for local in range(count)]
    variables = {
        "SLURM_JOB_ID": "4711",
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NUM_TASKS": str(len(places)),
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(places[rank][0]),
        "SLURM_LOCALID": str(places[rank][1]),
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": each,
        "SLURM_DISTRIBUTION": "",
        **others,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("text", LISTS)
def test_nodes_are_those_that_tensorflow_reads(text: str) -> None:
    assert expand_node_list(text) == slurm_cluster_resolver.expand_hostlist(text)


@pytest.mark.parametrize("text", ["1", "2(x3),1", "4,2(x2),1(x10)", "12"])
def test_tasks_per_node_are_those_that_tensorflow_reads(text: str) -> None:
    assert expand_tasks_per_node(text) == slurm_cluster_resolver.expand_tasks_per_node(text)


def test_names_with_several_ranges_and_a_suffix_are_read_too() -> None:
    assert expand_node_list("r[1-2]n[08-09]-ib,x") == ["r1n08-ib", "r1n09-ib", "r2n08-ib", "r2n09-ib", "x"]


@pytest.mark.parametrize(
    ("nodes", "each"), [("n1", "1"), ("n[1-4]", "1(x4)"), ("a[08-10]", "2(x2),1"), ("a3,b[1-2]", "3,1,4")]
)
def test_each_task_has_the_place_that_tensorflow_gives_it(
    nodes: str, each: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = sum(slurm_cluster_resolver.expand_tasks_per_node(each))
    for rank in range(tasks):
        _step(monkeypatch, nodes, each, rank)
        cluster = slurm_cluster()
        assert cluster is not None
        first = int(cluster.addresses["worker"][0].rpartition(":")[2])
        theirs = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=first, gpus_per_node=64, gpus_per_task=1, auto_set_gpu=False
        )
        assert {name: list(listed) for name, listed in cluster.addresses.items()} == theirs.cluster_spec().as_dict()
        assert (cluster.task_type, cluster.task_index) == theirs.get_task_info() == ("worker", rank)
        assert len(set(cluster.addresses["worker"])) == tasks


def test_nodes_keep_slurms_order_which_sorting_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    _step(monkeypatch, "n[9-10]", "1(x2)", 0)
    port = FIRST_PORT + PORTS_PER_STEP * (4711 % RANGES)
    assert slurm_cluster() == Cluster({"worker": (f"n9:{port}", f"n10:{port}")}, "worker", 0)


def test_steps_and_jobs_that_share_a_node_use_other_ports_which_linux_gives_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: set[str] = set()
    for job in range(1_000_000, 1_000_040):
        for step in range(3):
            _step(monkeypatch, "n1", "4", 0, SLURM_JOB_ID=str(job), SLURM_STEP_ID=str(step))
            cluster = slurm_cluster()
            assert cluster is not None
            ports = {address.rpartition(":")[2] for address in cluster.addresses["worker"]}
            assert not ports & used
            assert all(1024 <= int(port) < 32_768 for port in ports)
            used |= ports


@pytest.mark.parametrize("layout", ["cyclic", "cyclic:block", "plane"])
def test_tasks_in_another_layout_than_blocks_are_refused_in_all_of_them_alike(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank in range(4):
        _step(monkeypatch, "n[1-2]", "2(x2)", rank, SLURM_DISTRIBUTION=layout)
        with pytest.raises(
            UserError, match=f"SLURM_DISTRIBUTION: expected block, .* received {layout}; give srun --dist"
        ):
            slurm_cluster()
    _step(monkeypatch, "n[1-2]", "1(x2)", 1, SLURM_DISTRIBUTION=layout)  # with one task a node, there is one layout
    assert slurm_cluster() is not None


def test_outside_of_slurm_there_is_no_such_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert slurm_cluster() is None


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SLURM_STEP_NUM_TASKS": ""}, "SLURM_STEP_NUM_TASKS: expected the number of tasks .* received nothing; start"),
        ({"SLURM_STEP_NUM_TASKS": "two"}, "SLURM_STEP_NUM_TASKS: expected .* a whole number at least 1, received two"),
        ({"SLURM_PROCID": "2"}, "SLURM_PROCID: expected .* from 0 to 1, received 2; start the command with srun"),
        ({"SLURM_STEP_NODELIST": ""}, "SLURM_STEP_NODELIST: expected the nodes"),
        ({"SLURM_STEP_NODELIST": "n[1-2"}, r"SLURM_STEP_NODELIST: expected nodes such as .*, received n\[1-2; start"),
        ({"SLURM_STEP_NODELIST": "n[2-1]"}, "SLURM_STEP_NODELIST: expected nodes such as"),
        ({"SLURM_STEP_NODELIST": "n[a,b]"}, "SLURM_STEP_NODELIST: expected nodes such as"),
        ({"SLURM_STEP_NODELIST": "n1,,n2"}, "SLURM_STEP_NODELIST: expected nodes such as"),
        ({"SLURM_STEP_NODELIST": "n1,"}, "SLURM_STEP_NODELIST: expected nodes such as"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1x2"}, "SLURM_STEP_TASKS_PER_NODE: expected numbers such as .*, received 1x2"),
        (
            {"SLURM_STEP_TASKS_PER_NODE": "1(x3)"},
            "expected the 2 tasks of SLURM_STEP_NUM_TASKS on 2 nodes .* 3 tasks on 3",
        ),
        (
            {"SLURM_NODEID": "0", "SLURM_LOCALID": "1"},
            "SLURM_NODEID, SLURM_LOCALID: expected 1, 0 for task 1, .* received 0, 1; give srun --distribution=block",
        ),
    ],
)
def test_what_slurm_would_not_set_is_named(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _step(monkeypatch, "n[1-2]", "1(x2)", 1, **variables)
    with pytest.raises(UserError, match=words) as raised:
        slurm_cluster()
    assert "\n" not in str(raised.value)
