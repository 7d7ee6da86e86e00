"""The message about a job that stopped fits its cause, since running the same command again may not help."""

from __future__ import annotations

import pytest

from pipeline.jobs.job_failures import job_failure
from pipeline.jobs.lost_workers import WorkerLostError

AGAIN = "run the same command again"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (RuntimeError("OSError: [Errno 28] No space left on device: '/d/x'"), f"make room there, and {AGAIN}"),
        (RuntimeError("OSError: [Errno 122] Disk quota exceeded [while running 'W']"), f"make room there, and {AGAIN}"),
        (OSError(27, "File too large"), f"make room there, and {AGAIN}"),
        (
            RuntimeError(
                "Traceback (most recent call last):\n  File x\nPermissionError: [Errno 13] Permission denied: 'x'"
            ),
            f"give this user the right to read and write there, and {AGAIN}",
        ),
        (OSError(30, "Read-only file system"), f"give this user the right to read and write there, and {AGAIN}"),
        (WorkerLostError("a worker process was killed"), f"{AGAIN}, with fewer --workers if memory is short"),
        (RuntimeError("schemas.console.errors.DatasetError: x: the plan is missing; restore it from a copy"), None),
        (RuntimeError("FileNotFoundError: [Errno 2] No such file or directory: 'x'"), None),
        (ValueError("Job server is of another version"), None),
        (KeyError(), None),
    ],
)
def test_each_cause_has_the_advice_that_helps(error: Exception, advice: str | None) -> None:
    said = job_failure(error, 3, 4)
    assert said.startswith("the Beam job stopped with 3 of 4 shards unfinished: ")
    assert "\n" not in said and "[while running" not in said
    if advice is None:
        assert said.endswith("what is finished stays: the same command continues from there once the cause is fixed")
        assert AGAIN not in said
    else:
        assert said.endswith(f"what is finished stays: {advice}")
