"""Train and evaluate one run of a study in a process of its own.

TensorFlow keeps some memory for every model that it ever compiled: one process grew by 40 to 200 MB with each training
of even a small one. When a process ends, the operating system takes back all its memory. Importing this module imports
no TensorFlow, so that the study's own process stays small.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from schemas.console.commandline import unexpected
from schemas.console.errors import EXIT_DONE, EXIT_STOPPED, TagscaleError
from schemas.console.stopping import SAVING_SECONDS, Stopped, deferred_stop, sheltered_children, stop_on_signals
from training.devices.out_of_memory import explained_out_of_memory
from training.devices.tensorflow_import import import_tensorflow
from training.study.plan import StudyRun
from training.study.results import RunRow

PATIENCE_SECONDS = SAVING_SECONDS * 3 / 4  # for a training that was asked to stop, before it is killed
POLL_SECONDS = 0.1  # between two checks whether to stop


def train_apart(run: StudyRun, root: str, stage: str | None) -> RunRow:
    """Train or resume a run, and evaluate it on the test split, in a new process.

    Args:
        run: what to train.
        root: folder of the run.
        stage: folder on a local disk that payloads are copied to before they are read; None for none.

    Raises:
        TagscaleError: `train` or `evaluate` raised it, or the process was killed.
        Stopped: this process or the new one was asked to stop; the position is saved.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(sending, run, root, stage), daemon=True)
    multiprocessing.resource_tracker.ensure_running()  # otherwise it starts with the process, and undoes the shelter
    with deferred_stop() as stop_requested:
        with sheltered_children():
            process.start()
        sending.close()  # otherwise the end of the process would not close the pipe
        try:
            outcome = _outcome(receiving, stop_requested)
        finally:
            _end(process)
    if isinstance(outcome, RunRow):
        return outcome
    if isinstance(outcome, BaseException):
        raise outcome
    if process.exitcode == EXIT_STOPPED:
        raise Stopped
    raise TagscaleError(f"{root}: its training {_ending(process.exitcode)}")


def _outcome(receiving: Any, stop_requested: Callable[[], bool]) -> object:
    """The object that the process sent; None if it ended without sending one, or is to be stopped."""
    while not receiving.poll(POLL_SECONDS):
        if stop_requested():
            return None
    try:
        return receiving.recv()
    except EOFError:
        return None


def _end(process: Any) -> None:
    """Wait for a process that is done; stop one that is not, for example because this one was asked to stop."""
    if process.exitcode is None:
        process.join(1)
    if process.exitcode is None:
        process.terminate()
        process.join(PATIENCE_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()


def _ending(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return (
            "was killed, perhaps because memory ran out: free some and run the same command again, or use a smaller --batch-size "
            "and another --out"
        )
    return f"ended with exit code {code}; its messages are above: run the same command again once the cause is fixed"


def _main(sending: Any, run: StudyRun, root: str, stage: str | None) -> None:
    """Main function of the process: send a row, or an error that a user can read."""
    stop_on_signals(words="")
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        with explained_out_of_memory():
            row = _trained_row(run, root, stage)
        sending.send(row)
    except (TagscaleError, OSError) as error:
        sending.send(error)
    except Exception as error:
        sending.send(unexpected(error))
    except Stopped:
        os._exit(EXIT_STOPPED)
    os._exit(EXIT_DONE)  # at once: a regular interpreter exit would tear down TensorFlow


def _trained_row(run: StudyRun, root: str, stage: str | None) -> RunRow:
    import_tensorflow()
    from training.evaluation.evaluate import evaluate
    from training.fit.train import train
    from training.report.page import report_evaluation
    from training.runs.metrics_log import MetricsLog

    trained = train(run.config, root, stage=stage)
    evaluated = evaluate(root, "test", stage=stage)
    report_evaluation(evaluated)
    metrics = evaluated.metrics
    return RunRow(
        frontend=run.config.frontend,
        share=run.config.train_share,
        tracks=trained.tracks,
        seed=run.config.seed,
        roc_auc=metrics.roc_auc_macro,
        pr_auc=metrics.pr_auc_macro,
        epochs=trained.state.epoch,
        best_epoch=trained.state.best_epoch,
        steps=trained.state.step,
        seconds=round(sum(float(epoch.get("seconds", 0)) for epoch in MetricsLog(root).read()), 3),  # of all calls
    )


def _leave_with_parent() -> None:
    """End if the study's process is killed: the next one would train the same run at the same time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(EXIT_STOPPED)
