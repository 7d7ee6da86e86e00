"""Describe in one line why a job stopped and what to do about it."""

from __future__ import annotations

import errno
import os
import re

import grpc

from pipeline.jobs.lost_workers import WorkerLostError

# System errors -> what the user can do before the same command continues.
_REMEDIES = (
    ((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "give this user the right to read and write there"),
)


def job_failure(error: BaseException, left: int, shards: int) -> str:
    """The message for a job that stopped.

    Running the command again is no remedy by itself: it fails in the same way until the cause is fixed.

    Args:
        error: Exception of the runner; it wraps the one from a worker.
        left: Number of unfinished shards.
        shards: Number of shards of the job.
    """
    words = _last_words(error)
    return (
        f"the Beam job stopped with {left} of {shards} shards unfinished: {words}; what is finished stays: "
        f"{_advice(error, words)}"
    )


def _advice(error: BaseException, words: str) -> str:
    if isinstance(error, WorkerLostError):
        return "run the same command again, with fewer --workers if memory is short"
    for codes, remedy in _REMEDIES:
        if any(os.strerror(code) in words for code in codes):
            return f"{remedy}, and run the same command again"
    return "the same command continues from there once the cause is fixed"


def _last_words(error: BaseException) -> str:
    """The line of a runner's exception that names the cause."""
    if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
        return f"the job server does not answer ({error.code().name}: {' '.join(str(error.details()).split())})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line.split(":")[0] and not line.startswith(("File ", "raise "))]
    words = (named or lines or [type(error).__name__])[-1]
    return re.sub(r" \[while running .*?\]", "", words).removeprefix("RuntimeError: ")
