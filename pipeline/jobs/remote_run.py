"""Submit a job to an engine once, and wait for it: until it ends, its last done mark is there, or the engine falls silent."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineState

from pipeline.jobs.flink_cancel import cancel_on_flink, flink_address
from schemas.console.errors import TagscaleError, UserError, WorkGoesOn
from schemas.console.stopping import Stopped, deferred_stop
from schemas.console.terminal import say

SILENT_SECONDS = 180.0  # an engine counts as lost after this long without an answer; a restart takes one or two minutes
CLOSING_SECONDS = 60.0  # that an engine gets to end a job whose done marks are all there
ASK_SECONDS = 5.0  # between two questions for the state of the job
CANCEL_SECONDS = 15.0  # that a stop waits for the engine to take its word; a stopped command has 20
LOOK_SECONDS = 0.2  # between two looks whether the job has ended or the command was told to stop


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long to wait for an engine, in seconds; tests take less.

    Attributes:
        silent: Without any answer.
        closing: For the end of a job that has written everything.
        ask: Between two questions for its state.
    """

    silent: float = SILENT_SECONDS
    closing: float = CLOSING_SECONDS
    ask: float = ASK_SECONDS


class RemoteRun:
    """A job that was submitted to an engine.

    Args:
        result: What the runner returned.
        options: Options with which it was submitted.
        patience: How long to wait for the engine.
    """

    def __init__(self, result: Any, options: PipelineOptions, patience: Patience | None = None) -> None:
        self._result, self._options = result, options
        self._patience = patience or Patience()

    @property
    def name(self) -> str:
        """What a person finds the job by: its id and where it is shown."""
        identity = getattr(self._result, "_job_id", None)
        cloud = self._options.view_as(GoogleCloudOptions)
        if callable(getattr(self._result, "job_id", None)):  # Dataflow's
            identity = self._result.job_id()
            return (
                f"job {identity} (https://console.cloud.google.com/dataflow/jobs/{cloud.region}/{identity}"
                f"?project={cloud.project})"
            )
        endpoint = self._options.view_as(PortableOptions).job_endpoint
        return f"job {identity} of the job server at {endpoint}" if identity and endpoint else "the job"

    def wait(self, left: Callable[[], int]) -> None:
        """Wait until the job has ended or has written everything.

        Told to stop, it cancels the job and raises `Stopped`; so it does with any error of this process.

        Args:
            left: Returns the number of unfinished shards, as the done marks tell; it is called every few seconds.

        Raises:
            TagscaleError: the engine did not answer for too long.
            Exception: the runner's own, where the job failed.
        """
        ended, failure = threading.Event(), list[BaseException]()
        answered = [time.monotonic()]
        threading.Thread(target=self._wait_until_finish, args=(ended, failure), daemon=True).start()
        threading.Thread(target=self._listen, args=(ended, answered), daemon=True).start()
        _quieten_threads()
        with deferred_stop() as told_to_stop:  # also while the engine is told, for which it may take its time
            try:
                self._watch(ended, answered, left, told_to_stop)
            except _SilentEngineError:
                raise
            except BaseException as error:
                words = self._cancel()
                if isinstance(error, Stopped):
                    say(words, file=sys.stderr, level="warning")
                raise
        if failure:
            raise failure[0]

    def _watch(
        self,
        ended: threading.Event,
        answered: list[float],
        left: Callable[[], int],
        told_to_stop: Callable[[], bool],
    ) -> None:
        complete: float | None = None  # since when everything is there
        counted = time.monotonic()
        while not ended.wait(LOOK_SECONDS):
            if told_to_stop():
                raise Stopped
            now = time.monotonic()
            if now - counted < self._patience.ask:
                continue
            counted = now
            with contextlib.suppress(OSError):  # a failure of the store surfaces in the job itself
                complete = None if left() else (complete or now)
            if complete is not None and now - complete > self._patience.closing:
                say(f"note: every shard is written; {self.name} has not ended", file=sys.stderr, level="warning")
                return
            if now - answered[0] > self._patience.silent:
                if complete is not None:
                    return
                raise _SilentEngineError(
                    f"{self.name}: expected an answer, received none for {self._patience.silent:g} s; if it still runs it "
                    "goes on writing: look there, then run the same command again, which keeps every finished shard"
                )

    def _wait_until_finish(self, ended: threading.Event, failure: list[BaseException]) -> None:
        try:
            state = self._result.wait_until_finish()
            if state in (PipelineState.CANCELLED, PipelineState.FAILED):
                failure.append(TagscaleError(f"{self.name} ended as {state}"))
        except Exception as error:
            failure.append(error)
        finally:
            ended.set()

    def _listen(self, ended: threading.Event, answered: list[float]) -> None:
        """Note when the engine last answered; the question itself may never return."""
        while not ended.wait(self._patience.ask):
            with contextlib.suppress(Exception):
                if self._result.state is not None:
                    answered[0] = time.monotonic()

    def _cancel(self) -> str:
        """Cancel the job; return what became of it."""
        words = list[str]()

        def cancel() -> None:
            try:
                self._result.cancel()
                words.append(self._words_of_cancelled())
            except Exception as error:
                words.append(self._words_of_running(" ".join(str(error).split()) or type(error).__name__))

        thread = threading.Thread(target=cancel, daemon=True)
        thread.start()
        thread.join(CANCEL_SECONDS)
        return words[0] if words else self._words_of_running(f"no answer within {CANCEL_SECONDS:g} s")

    def _words_of_running(self, reason: str) -> str:
        return f"{self.name} may still run: {reason}; cancel it there"

    def _words_of_cancelled(self) -> str:
        """What became of a job that was told to stop: on Flink, whose word a job server's is not, it is seen to end."""
        address = flink_address(self._options)
        if address is not None:
            state = cancel_on_flink(address, str(self._result._job_id).rpartition("_")[0], CANCEL_SECONDS - 1)
            how = "was cancelled" if state == "CANCELED" else f"had ended as {state}"
            return f"{self.name} {how}, as Flink at {address} says"
        if self._options.view_as(PortableOptions).job_endpoint not in (None, "embed"):
            return (
                f"{self.name} was told to stop; its engine may go on with it, as Flink does: look there, and name Flink's "
                "address as `rest` in the file of --engine-config, by which it is cancelled next time"
            )
        return f"{self.name} was cancelled"


def _quieten_threads() -> None:
    """Keep Beam's threads that read from an engine from printing a traceback when it ends; what they met is reported.

    This holds for the rest of the process, since such a thread may still read when the wait has ended.
    """
    before = threading.excepthook
    if getattr(before, "quietens_threads", False):
        return

    def on_failed_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.thread is None or not failed.thread.name.startswith("wait_until_finish"):
            before(failed)

    on_failed_thread.quietens_threads = True  # type: ignore[attr-defined]
    threading.excepthook = on_failed_thread


class _SilentEngineError(TagscaleError):
    """The engine did not answer, so that it cannot be told to cancel either."""


def check_detachable(options: PipelineOptions) -> None:
    """Raise UserError if the job would end with this command."""
    runner = options.view_as(StandardOptions).runner
    portable = options.view_as(PortableOptions)
    if runner == "DataflowRunner":
        return
    inside = portable.job_endpoint in (None, "embed") or portable.environment_type == "LOOPBACK"
    if runner is None or runner.rpartition(".")[2] != "PortableRunner" or inside:
        raise UserError(
            "--detach: expected a runner whose job goes on without this command, received "
            f"{'none' if runner is None else f'--runner={runner}'}; give --runner=DataflowRunner, or --runner=PortableRunner "
            "with the --job_endpoint of a job server and workers that run elsewhere"
        )


def left_running(run: RemoteRun, status: str) -> WorkGoesOn:
    """The end of a command that leaves its job to the engine.

    Args:
        run: The job.
        status: Command that shows how far it is; empty if there is none.
    """
    shown = f"`{status}` shows how far it is" if status else "look there how far it is"
    return WorkGoesOn(
        f"{run.name} goes on without this command; {shown}, and once it has ended, the same command without --detach "
        "completes what it wrote"
    )


def staged_template(options: PipelineOptions) -> WorkGoesOn | None:
    """The end of a command that staged a template instead of a job; None if it submitted one."""
    cloud = options.view_as(GoogleCloudOptions)
    if options.view_as(StandardOptions).runner != "DataflowRunner" or not cloud.template_location:
        return None
    return WorkGoesOn(
        f"{cloud.template_location}: the template is staged; start it with `gcloud dataflow jobs run NAME "
        f"--project={cloud.project} --region={cloud.region} --gcs-location={cloud.template_location}`, and once that job has "
        "ended, the same command without the template completes what it wrote"
    )
