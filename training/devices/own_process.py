"""Call a function in a process of its own, which keeps the caller's TensorFlow as it is.

TensorFlow keeps some memory for every model that it ever compiled, and counts all functions that it ever traced. Importing
this module imports no TensorFlow, so that the caller's process stays small.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from schemas.console.commandline import unexpected
from schemas.console.errors import EXIT_DONE, EXIT_STOPPED, TagscaleError
from schemas.console.stopping import SAVING_SECONDS, Stopped, deferred_stop, sheltered_children, stop_on_signals
from training.devices.out_of_memory import explained_out_of_memory

PATIENCE_SECONDS = SAVING_SECONDS * 3 / 4  # for a process that was asked to stop, before it is killed
POLL_SECONDS = 0.1  # between two checks whether to stop

_Result = TypeVar("_Result")


def in_own_process(function: Callable[..., _Result], *arguments: object, name: str, advice: str = "") -> _Result:
    """What a function returns in a new process.

    Args:
        function: A function of a module; what it returns can be pickled.
        arguments: What it is called with.
        name: What the function does, and to what, for messages.
        advice: What else helps where memory ran out.

    Raises:
        TagscaleError: the function raised it, or the process was killed.
        Stopped: this process or the new one was asked to stop.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(sending, function, arguments), daemon=True)
    multiprocessing.resource_tracker.ensure_running()  # otherwise it starts with the process, and undoes the shelter
    with deferred_stop() as stop_requested:
        with sheltered_children():
            process.start()
        sending.close()  # otherwise the end of the process would not close the pipe
        try:
            outcome = _outcome(receiving, stop_requested)
        finally:
            _end(process)
    if isinstance(outcome, BaseException):
        raise outcome
    if outcome is not None:
        result: _Result = outcome[0]
        return result
    if process.exitcode == EXIT_STOPPED:
        raise Stopped
    raise TagscaleError(f"{name} {_ending(process.exitcode, advice)}")


def _outcome(receiving: Any, stop_requested: Callable[[], bool]) -> Any:
    """What the process sent: its error, or its result in a tuple. None if it sent nothing, or is to be stopped."""
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


def _ending(code: int | None, advice: str) -> str:
    if code == -signal.SIGKILL:
        return f"was killed, perhaps because memory ran out: free some and run the same command again{advice}"
    return f"ended with exit code {code}; its messages are above: run the same command again once the cause is fixed"


def _main(sending: Any, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """Main function of the process: send a result, or an error that a user can read."""
    stop_on_signals(words="")
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        with explained_out_of_memory():
            result = function(*arguments)
        sending.send((result,))
    except (TagscaleError, OSError) as error:
        sending.send(error)
    except Exception as error:
        sending.send(unexpected(error))
    except Stopped:
        os._exit(EXIT_STOPPED)
    os._exit(EXIT_DONE)  # at once: a regular interpreter exit would tear down TensorFlow


def _leave_with_parent() -> None:
    """End if the caller's process is killed: the next one would do the same work at the same time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(EXIT_STOPPED)
