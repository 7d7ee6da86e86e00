"""The cluster of a step of Slurm, in which `srun` starts one worker as each task.

TensorFlow's SlurmClusterResolver sorts the hosts as text, so that n10 comes before n9 and the second worker answers at the
address of the first; it also sets CUDA_VISIBLE_DEVICES. Here the hosts keep Slurm's order, and GPUs are left to Slurm.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import NoReturn

from schemas.console.errors import UserError
from training.devices.cluster import Cluster
from training.devices.launch_variables import read_number, read_variable

JOB = "SLURM_JOB_ID"
STEP = "SLURM_STEP_ID"
TASKS = "SLURM_STEP_NUM_TASKS"
RANK = "SLURM_PROCID"
NODES = "SLURM_STEP_NODELIST"
TASKS_PER_NODE = "SLURM_STEP_TASKS_PER_NODE"
DISTRIBUTION = "SLURM_DISTRIBUTION"
PLACE = ("SLURM_NODEID", "SLURM_LOCALID")  # of this task: its node in the list, and its number among the node's tasks

# Ports below those that Linux gives to outgoing connections (32768 and up). Each step has a range of them to itself, so that
# jobs that share a node do not meet; the ranges of jobs that follow each other differ.
FIRST_PORT = 12_000
PORTS_PER_STEP = 64
RANGES = 312
_STEP_STRIDE = 101  # prime, and no divisor of RANGES: steps of a job are far from the next jobs' first steps

_BLOCKS = "give srun --distribution=block"
_SRUN = "start the command with srun, which sets it"
_RUN = re.compile(r"(\d+)(?:\(x(\d+)\))?")
_PIECE = re.compile(r"\[([^\[\]]*)\]|([^\[\],]+)")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def slurm_cluster() -> Cluster | None:
    """The tasks of this step of Slurm as workers, in their order; None outside of Slurm. A single task trains alone.

    Raises:
        UserError: the process was not started by `srun`, tasks are not laid out in blocks, or a variable is invalid.
    """
    if JOB not in os.environ:
        return None
    tasks = read_number(TASKS, "the number of tasks of this step of Slurm", _SRUN, least=1)
    rank = read_number(RANK, "the number of this task of Slurm", _SRUN, below=tasks)
    nodes = expand_node_list(read_variable(NODES, "the nodes of this step of Slurm", _SRUN))
    each = expand_tasks_per_node(read_variable(TASKS_PER_NODE, "the number of tasks on each node", _SRUN))
    if len(nodes) != len(each) or sum(each) != tasks:
        raise UserError(
            f"{TASKS_PER_NODE}: expected the {tasks} tasks of {TASKS} on {len(nodes)} nodes of {NODES}, received "
            f"{sum(each)} tasks on {len(each)} nodes; {_SRUN}"
        )
    # Every task must see that the layout is another: the others would wait for one that does not.
    layout = os.environ.get(DISTRIBUTION, "").strip() or "block"
    if layout.partition(":")[0] != "block" and max(each) > 1:
        raise UserError(
            f"{DISTRIBUTION}: expected block, which fills one node after the other, received {layout}; {_BLOCKS}"
        )
    places = [(node, local) for node, count in enumerate(each) for local in range(count)]
    here = tuple(read_number(name, "the place of this task of Slurm", _SRUN) for name in PLACE)
    if here != places[rank]:
        raise UserError(
            f"{', '.join(PLACE)}: expected {_shown(places[rank])} for task {rank}, with tasks in blocks, received "
            f"{_shown(here)}; {_BLOCKS}"
        )
    first = _first_port(
        read_number(JOB, "the number of the job", _SRUN), read_number(STEP, "the number of the step", _SRUN)
    )
    return Cluster({"worker": tuple(f"{nodes[node]}:{first + local}" for node, local in places)}, "worker", rank)


def expand_node_list(text: str) -> list[str]:
    """The names of a list of nodes, in its order.

    >>> expand_node_list("login,n[08-10,12]")
    ['login', 'n08', 'n09', 'n10', 'n12']

    Raises:
        UserError: the text is no such list.
    """
    names: list[str] = []
    position = 0
    while position <= len(text):
        pieces: list[list[str]] = []
        while piece := _PIECE.match(text, position):
            pieces.append([piece[2]] if piece[2] is not None else _expand_ranges(piece[1], text))
            position = piece.end()
        if not pieces or (position < len(text) and text[position] != ","):
            _refuse_nodes(text)
        names += ["".join(parts) for parts in itertools.product(*pieces)]
        position += 1  # the comma
    return names


def expand_tasks_per_node(text: str) -> list[int]:
    """The number of tasks on each node: `2(x3),1` is [2, 2, 2, 1].

    Raises:
        UserError: the text is no such list.
    """
    counts: list[int] = []
    for run in text.split(","):
        matched = _RUN.fullmatch(run)
        if not matched:
            raise UserError(f"{TASKS_PER_NODE}: expected numbers such as 2(x3),1, received {text}; {_SRUN}")
        counts += [int(matched[1])] * int(matched[2] or 1)
    return counts


def _expand_ranges(inside: str, text: str) -> list[str]:
    """The numbers between two brackets, with the zeros before them."""
    numbers: list[str] = []
    for part in inside.split(","):
        matched = _RANGE.fullmatch(part)
        if not matched or (matched[2] and int(matched[2]) < int(matched[1])):
            _refuse_nodes(text)
        low, high = matched[1], matched[2] or matched[1]
        numbers += [str(number).zfill(len(low)) for number in range(int(low), int(high) + 1)]
    return numbers


def _refuse_nodes(text: str) -> NoReturn:
    raise UserError(f"{NODES}: expected nodes such as login,n[08-10,12], received {text}; {_SRUN}")


def _first_port(job: int, step: int) -> int:
    return FIRST_PORT + PORTS_PER_STEP * ((job + _STEP_STRIDE * step) % RANGES)


def _shown(place: tuple[int, ...]) -> str:
    return ", ".join(map(str, place))
