"""The message about a job that stopped fits its cause, since running the same command again may not help."""

from __future__ import annotations

import pytest

from pipeline.jobs.job_failures import job_failure
from pipeline.jobs.lost_workers import WorkerLostError

AGAIN = "run the same command again"


# What Beam's job server on Flink answers, shortened.
JAVA = """java.lang.RuntimeException: The Runner experienced the following error during execution:
java.util.concurrent.ExecutionException: org.apache.flink.client.program.ProgramInvocationException: Job failed (JobID: 4e)
\tat org.apache.beam.runners.flink.FlinkPipelineRunner.run(FlinkPipelineRunner.java:118)
\t... 4 more
Caused by: org.apache.flink.runtime.JobException: Recovery is suppressed by FixedDelayRestartBackoffTimeStrategy
\tat java.base/java.util.concurrent.CompletableFuture.uniHandle(CompletableFuture.java:934)
Caused by: java.io.IOException: Cannot run program "/opt/worker": error=2, No such file or directory
\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)
\tSuppressed: java.io.IOException: the process was not there
\tat java.lang.Thread.run(Thread.java:840)
"""
PYTHON_IN_JAVA = """java.lang.RuntimeException: Error received from SDK harness for instruction 3: Traceback (most recent call):
  File "apache_beam/runners/common.py", line 1500, in process
    raise DatasetError(
    ~~~~~~~~~~~~^^^^^^^
schemas.console.errors.DatasetError: gs://music/plan: the plan is missing [while running 'WriteShard']

\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient.handle(FnApiControlClient.java:180)
Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 3: Traceback (most recent call):
\tat java.lang.Thread.run(Thread.java:840)
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            JAVA,
            ': IOException: Cannot run program "/opt/worker": error=2, No such file or directory (the whole, 10 lines,',
        ),
        (
            PYTHON_IN_JAVA,
            ": schemas.console.errors.DatasetError: gs://music/plan: the plan is missing (the whole, 9 lines,",
        ),
        (
            "java.lang.IllegalStateException: No TaskManager\n\tat a.B.c(B.java:1)",
            ": IllegalStateException: No TaskManager;",
        ),
    ],
)
def test_the_cause_is_found_in_an_engines_trace(text: str, words: str) -> None:
    said = job_failure(RuntimeError(text), 3, 4)
    assert words in said
    assert "\n" not in said


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
