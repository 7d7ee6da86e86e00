"""Two hosts for tests: network namespaces with a cable between them, or two ports on loopback where they cannot be had."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator

HOST = "TAGSCALE_TEST_HOST"  # the namespace that a command is to enter
_CABLE = "eth0"
_ADDRESSES = "10.77.0.1{index}"  # nobody else is in the namespaces
_PORT = 2222

# For the start of a program. Only the calling thread moves, and those that it starts from then on.
ENTER_HOST = (
    "import ctypes, os\n"
    f"if name := os.environ.get('{HOST}'):\n"
    "    with open(f'/run/netns/{name}') as namespace:\n"
    "        assert ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) == 0, ctypes.get_errno()\n"
)


@dataclasses.dataclass(frozen=True)
class TwoHosts:
    """Where two workers run.

    Attributes:
        variables: for each worker, the environment variables that name the cluster and its place in it.
        namespaces: their network namespaces; none if both run on loopback.
    """

    variables: tuple[dict[str, str], dict[str, str]]
    namespaces: tuple[str, ...] = ()

    def pull_cable(self, host: int) -> None:
        """Let nothing more reach the other host, not even the end of a connection, as when a host loses its power."""
        if self.namespaces:
            _ip("-n", self.namespaces[host], "link", "set", _CABLE, "down")

    def plug_in(self, host: int) -> None:
        """Connect the host again."""
        if self.namespaces:
            _ip("-n", self.namespaces[host], "link", "set", _CABLE, "up")


def on_loopback() -> TwoHosts:
    """Two workers of this machine, named by TF_CONFIG."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]}
    for one in sockets:
        one.close()
    first, second = ({"TF_CONFIG": json.dumps(_fields(cluster, index))} for index in range(2))
    return TwoHosts((first, second))


def _fields(cluster: dict[str, list[str]], index: int) -> dict[str, object]:
    return {"cluster": cluster, "task": {"type": "worker", "index": index}}


@contextlib.contextmanager
def two_hosts() -> Iterator[TwoHosts]:
    """Two namespaces, named as in an Indexed Job of Kubernetes; where they cannot be had, loopback, with a warning."""
    names = tuple(f"tagscale-{os.getpid()}-{index}" for index in range(2))
    try:
        _connect(names)
    except (OSError, subprocess.CalledProcessError) as error:
        _remove(names)
        words = " ".join(str(getattr(error, "stderr", None) or error).split())
        warnings.warn(f"two processes on loopback instead of two network namespaces: {words}", stacklevel=2)
        yield on_loopback()
        return
    shared = {"TAGSCALE_WORKERS": "2", "TAGSCALE_WORKER_ADDRESS": f"{_ADDRESSES}:{_PORT}"}
    first, second = ({**shared, "JOB_COMPLETION_INDEX": str(index), HOST: name} for index, name in enumerate(names))
    try:
        yield TwoHosts((first, second), names)
    finally:
        _remove(names)


def _connect(names: tuple[str, ...]) -> None:
    for name in names:
        _ip("netns", "add", name)
    _ip("link", "add", _CABLE, "netns", names[0], "type", "veth", "peer", "name", _CABLE, "netns", names[1])
    for index, name in enumerate(names):
        _ip("-n", name, "address", "add", f"{_ADDRESSES.format(index=index)}/24", "dev", _CABLE)
        for device in ("lo", _CABLE):
            _ip("-n", name, "link", "set", device, "up")


def _remove(names: tuple[str, ...]) -> None:
    for name in names:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _ip("netns", "delete", name)


def _ip(*words: str) -> None:
    program = shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        raise FileNotFoundError("there is no program ip")
    subprocess.run([program, *words], check=True, capture_output=True, text=True)
