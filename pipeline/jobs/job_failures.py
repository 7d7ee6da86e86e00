"""Describe in one line why a job stopped and what to do about it."""

from __future__ import annotations

import errno
import os
import re

import grpc

from pipeline.jobs.lost_workers import WorkerLostError
from schemas.console.commandline import TRACEBACK_VARIABLE

# System errors -> what the user can do before the same command continues.
_REMEDIES = (
    ((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "give this user the right to read and write there"),
)

_READABLE_LINES = 5  # a longer trace is not worth a person's while, unless the line of its cause is not enough
_FRAME = re.compile(r"at [\w.$<>/]+\(|\.\.\. \d+ |File \"|raise |[~^]+$|Suppressed: ")
_PYTHON = re.compile(r"[\w.]*(Error|Exception)(: |$)")
_JAVA = re.compile(
    r"(?P<caused>Caused by: )?(javax?|jdk|sun|scala|org|com|io)\.[\w.$]*?(?P<kind>\w+(Exception|Error))[\w$]*: (?P<words>.+)"
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
    lines = [line for text in str(error).splitlines() if (line := text.strip()) and not _FRAME.match(line)]
    words = _named_cause(lines) or (lines or [type(error).__name__])[-1]
    words = re.sub(r" \[while running .*?\]", "", words).removeprefix("RuntimeError: ")
    if not isinstance(error, WorkerLostError) and str(error).count("\n") > _READABLE_LINES:
        words += f" (the whole, {len(str(error).splitlines())} lines, is shown with {TRACEBACK_VARIABLE}=1)"
    return words


def _named_cause(lines: list[str]) -> str | None:
    """The cause among the lines of Python's and Java's traces without their frames; None if none is named.

    A worker's own error is at the end of a Python trace, also where the engine wraps it in Java's, whose cause is named last
    too, in front of what was suppressed on the way.
    """
    python = [line for line in lines if _PYTHON.match(line) and not _JAVA.match(line)]
    if python:
        return python[-1]
    java = [found for line in lines if (found := _JAVA.match(line))]
    causes = [found for found in java if found["caused"]] or java[:1]
    return f"{causes[-1]['kind']}: {causes[-1]['words']}" if causes else None
