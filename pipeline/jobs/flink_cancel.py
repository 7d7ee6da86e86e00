"""Cancel a job on a Flink cluster by Flink's own REST interface.

Beam's job server answers that a job is cancelled as soon as it no longer waits for it; Flink goes on with the job
(`JobInvocation.cancel` interrupts the thread that waits).
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

ANSWER_SECONDS = 5.0  # that Flink has for each answer
LOOK_SECONDS = 0.3  # between two looks whether the job has ended
ENDED = ("CANCELED", "FAILED", "FINISHED")


class FlinkError(Exception):
    """Flink did not do as it was told; the words say why."""


def flink_address(options: PipelineOptions) -> str | None:
    """Address of the REST interface of the JobManager, if the options name one."""
    address = str(options.view_as(FlinkRunnerOptions).flink_master)
    if address.startswith("[") or not address.strip():  # [auto], [local], [collection]
        return None
    return address.rstrip("/") if "://" in address else f"http://{address.rstrip('/')}"


def cancel_on_flink(address: str, name: str, seconds: float) -> str:
    """Cancel the newest job of a name, and return the state in which it ended.

    Args:
        address: What `flink_address` returned.
        name: The job's name, as Beam submitted it.
        seconds: Time that the job has for its end.

    Raises:
        FlinkError: Flink cannot be asked, has no such job, or does not end it in time.
    """
    deadline = time.monotonic() + seconds
    try:
        named = [job for job in _ask(address, "jobs/overview")["jobs"] if job["name"] == name]
        if not named:
            raise FlinkError(f"Flink at {address} has no job {name}")
        identity = max(named, key=lambda job: job["start-time"])["jid"]
        state = str(_ask(address, f"jobs/{identity}")["state"])
        if state not in ENDED:
            _ask(address, f"jobs/{identity}?mode=cancel", method="PATCH")
        while state not in ENDED:
            if time.monotonic() > deadline:
                raise FlinkError(f"Flink at {address} still has job {identity} as {state}")
            time.sleep(LOOK_SECONDS)
            state = str(_ask(address, f"jobs/{identity}")["state"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlinkError(f"Flink at {address} does not answer as it should: {error}") from error
    return state


def _ask(address: str, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(urllib.parse.urljoin(f"{address}/", path), method=method)
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
        return json.loads(answer.read() or b"{}")
