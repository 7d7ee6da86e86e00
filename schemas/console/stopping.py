"""The stop of a command: by ^C, by SIGTERM, or because its terminal was closed.

The first such signal raises `Stopped` in the main thread, or tells work that must not be cut anywhere to stop at a place
of its choice. A second ^C ends the process at once. A thread keeps the time and sees that second one, since handlers run
in the main thread alone, which may be in the middle of native code or wait for another thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import NoReturn, TextIO

from schemas.console.errors import EXIT_INTERRUPTED, EXIT_STOPPED
from schemas.console.terminal import forget_bars, say, wipe_line

SAVING_SECONDS = (
    20.0  # from a signal to the exit at the latest, where work saves its state; clouds and clusters give 30
)
LEAVING_SECONDS = 2.0  # the same for all other work, whose files are whole at every moment
STOPPED_WORDS = "stopped; what is finished is kept: run the same command again to go on"
AT_ONCE_WORDS = "stopped at once; what was saved before is kept: run the same command again to go on"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FROM_TERMINALS = (signal.SIGINT, signal.SIGHUP)  # a terminal sends them to all processes of a command
_LOOK_SECONDS = 0.05  # between two looks at the clock, once a signal has arrived

_leaving = threading.Lock()
_installed = False
_words = STOPPED_WORDS
_stderr: TextIO | None = None
_first: int | None = None  # the first signal that arrived
_handled = False  # the main thread knows of it
_cut = False  # `Stopped` was raised, so that whatever is raised after it follows from it
_unwinds = True  # the main thread has something to let go of on its way out
_deferred: threading.Event | None = None
_unsaved: Callable[[], bool] | None = None  # where it is deferred
_deferred_until = 0.0  # by time.monotonic()


class Stopped(BaseException):
    """The command was told to stop. Not an Exception, so that no handler on the way takes it for a failure of its own."""


def stop_on_signals(words: str = STOPPED_WORDS) -> None:
    """Let ^C, SIGTERM and SIGHUP raise `Stopped` in this process's main thread, and end the process some time later.

    A signal that whoever started the process lets it ignore, as `nohup` does, stays ignored. Where nobody catches
    `Stopped`, as in imports, the process ends as a command does.

    Args:
        words: said where the process ends before `Stopped` has made its way; empty where another process speaks for it.
    """
    global _installed, _words, _stderr
    _words = words
    if not _installed:
        _installed = True
        with contextlib.suppress(OSError):  # stderr may be closed
            # One of its own, since the descriptor of stderr is turned away now and then.
            _stderr = os.fdopen(os.dup(2), "w", errors="backslashreplace")
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=_end_forked_process_at_once)
        threading.Thread(target=_watch, args=(reading,), name="stopping", daemon=True).start()
        sys.excepthook, sys.unraisablehook = _on_uncaught, _on_unraisable
    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _end_forked_process_at_once() -> None:
    """In a forked process, let ^C and the other stops end it, as by default.

    Its parent stops the work. With the handlers of the parent, ^C would reach the parent's thread as a second one, and a
    worker of a pool that is interrupted at the wrong moment would stay behind, waiting for work.
    """
    with contextlib.suppress(ValueError):  # forked by another thread than the main one
        signal.set_wakeup_fd(-1)
        for number in _STOPS:
            if signal.getsignal(number) is _stop:
                signal.signal(number, signal.SIG_DFL)


def stop_exit_code() -> int:
    """The exit code of a stopped process: 130 if the first signal was ^C's, else 75."""
    return EXIT_INTERRUPTED if _first == signal.SIGINT else EXIT_STOPPED


@contextlib.contextmanager
def deferred_stop(unsaved: Callable[[], bool] | None = None) -> Iterator[Callable[[], bool]]:
    """Let work that must not be cut anywhere ask, at places of its choice, whether it was told to stop.

    It then saves what it has and raises `Stopped`; work that ends first is followed by `Stopped` all the same. The
    process still ends after `SAVING_SECONDS`, and at once if ^C is pressed again.

    Args:
        unsaved: whether there is anything to save now, without which the process ends after `LEAVING_SECONDS`; None if
            there always is.

    Yields:
        A function that returns True once a signal has arrived.
    """
    global _deferred, _deferred_until, _unsaved, _cut
    _unsaved = unsaved
    event = _deferred = threading.Event()
    for number in _STOPS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, _stop)  # once more: a library may have put its own in its place meanwhile
    try:
        yield event.is_set
    except Stopped:
        _cut = True
        raise
    finally:
        _deferred_until = time.monotonic()
        _deferred = None
    if event.is_set():
        _cut = True
        raise Stopped


@contextlib.contextmanager
def stopped_at_once() -> Iterator[None]:
    """Let a signal end the process with no more ado, where an exception would end up in native code, as in imports."""
    global _unwinds
    _unwinds = False
    try:
        yield
    finally:
        _unwinds = True


@contextlib.contextmanager
def stop_wins() -> Iterator[None]:
    """Raise `Stopped` in place of any error that followed from it."""
    try:
        yield
    except BaseException as error:
        if _cut and not isinstance(error, Stopped):
            raise Stopped from error
        raise


@contextlib.contextmanager
def sheltered_children() -> Iterator[None]:
    """Keep ^C, and the end of the terminal, from the processes that this thread starts in the body.

    The terminal sends both to all processes of a command. One that decodes would die of them, and its track would count
    as one that crashes decoders. These processes end with the one that started them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(words: str, code: int) -> NoReturn:
    """Exit at once; files are whole at every moment.

    The interpreter's own way out waits for threads, and gRPC's, which a local Beam runner leaves behind, abort the
    process on that way now and then: work that is done would end with SIGABRT.
    """
    _leaving.acquire()  # whoever comes second has nothing to say any more
    _exit(words, code)


def _exit(words: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be gone
        if words:
            stream = _stderr or sys.stderr
            if _first is not None:
                forget_bars()  # their stream may be in the middle of a write
                wipe_line(stream)
            say(words, file=stream, level="error")
        if _first is None:  # else a full pipe could hold it back
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(code)


def _stop(number: int, _frame: FrameType | None) -> None:
    global _first, _handled, _cut
    if _handled or _leaving.locked():
        return
    _handled = True
    _first = _first or number
    if _deferred is not None:
        _deferred.set()
        return
    if not _unwinds:
        leave(_words, stop_exit_code())
    _cut = True
    raise Stopped


def _watch(reading: int) -> None:
    """End the process at the second ^C, or if the first signal has not ended it in time."""
    global _first
    began: float | None = None
    while True:
        ready, _, _ = select.select([reading], [], [], None if began is None else _LOOK_SECONDS)
        number = os.read(reading, 1)[0] if ready else 0  # of any signal that has a handler
        if number in _STOPS and began is None:
            began = time.monotonic()
            _first = _first or number
        elif number == signal.SIGINT:
            _leave_without_main(_words and AT_ONCE_WORDS, EXIT_INTERRUPTED)
        if began is None:
            continue
        saving = _deferred is not None and (_unsaved is None or _unsaved())
        latest = began + SAVING_SECONDS if saving else max(began, _deferred_until) + LEAVING_SECONDS
        if time.monotonic() >= latest:
            _leave_without_main(_words, stop_exit_code())


def _leave_without_main(words: str, code: int) -> NoReturn:
    _leaving.acquire(timeout=_LOOK_SECONDS)  # the main thread, if it leaves now, may hang at a full pipe
    _exit(words, code)


def _on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, Stopped):
        leave(_words, stop_exit_code())
    sys.__excepthook__(kind, error, trace)


def _on_unraisable(failed: sys.UnraisableHookArgs) -> None:
    """Leave if `Stopped` was raised where no exception can propagate, such as in a finalizer: it would be lost."""
    if isinstance(failed.exc_value, Stopped):
        leave(_words, stop_exit_code())
    sys.__unraisablehook__(failed)
