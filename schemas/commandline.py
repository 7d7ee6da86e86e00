"""What both command lines share: one clear line for an error, the exit codes, and the stop by SIGTERM."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

import click

from schemas.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    EXIT_USER_INPUT,
    TagscaleError,
    UserError,
)
from schemas.interpreter import missing_words
from schemas.terminal import guard_terminal, say
from schemas.usage_words import usage_words

GRACE_SECONDS = 20.0  # from SIGTERM to the exit at the latest; clouds and clusters give 30
TRACEBACK_VARIABLE = "TAGSCALE_TRACEBACK"
SHOWN_WORDS = 500  # letters of an unexpected error
STOPPED_WORDS = "stopped; what is finished is kept: run the same command again to go on"


# What click makes of a group that was called without a command: its help; click 8.1 prints that itself.
_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())

_stopping = threading.Lock()
_leaving = threading.Lock()


_deferred: threading.Event | None = None


class Stopped(BaseException):
    """SIGTERM arrived. Not an Exception, so that no handler on the way takes it for a failure of its own."""


def run_command(command: click.Command, name: str) -> NoReturn:
    """Run a click command and exit with the project's codes; any error is one line on stderr.

    With TAGSCALE_TRACEBACK=1 in the environment, an error that nobody foresaw shows its traceback before that line.
    """
    guard_terminal()
    stop_on_sigterm()
    try:
        command.main(prog_name=name, standalone_mode=False)
    except SystemExit as wanted:
        _leave("", wanted.code if isinstance(wanted.code, int) else EXIT_DONE)
    except click.ClickException as error:  # unknown options and the like: click's own words
        if isinstance(error, _HELP):
            say(*error.format_message().split("\n"), file=sys.stderr)
            _leave("", error.exit_code)
        context = getattr(error, "ctx", None)
        words = usage_words(error) if isinstance(error, click.UsageError) else error.format_message()
        _leave(f"error: {words} (see {context.command_path if context else name} --help)", error.exit_code)
    except click.Abort:
        _leave("interrupted", EXIT_INTERRUPTED)
    except TagscaleError as error:
        _leave(f"error: {error}", error.exit_code)
    except Stopped:
        _leave(STOPPED_WORDS, EXIT_STOPPED)
    except ModuleNotFoundError as error:
        words = missing_words(error.name or "")
        failed = UserError(words) if words else unexpected(error)
        _leave(f"error: {failed}", failed.exit_code)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # whoever chose the name can choose another
            shown = str(error.filename or "")[-60:]
            words = f"the name or its path is longer than the file system takes (255 bytes a name): …{shown!r}"
            _leave(f"error: {words}; choose a shorter one", EXIT_USER_INPUT)
        _leave(f"error: {error.filename or 'input/output'}: {error.strerror or error}", EXIT_FAILED)
    except Exception as error:
        failed = unexpected(error)
        _leave(f"error: {failed}", failed.exit_code)
    _leave("", EXIT_DONE)


def unexpected(error: Exception) -> TagscaleError:
    """An error that nobody foresaw, in one line; its traceback goes to stderr if TAGSCALE_TRACEBACK is set."""
    lines = str(error).strip().splitlines()
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        lines = lines[-1:]  # of an error in another process: its own last line says it
    words = " ".join(" ".join(lines).split())
    words = words if len(words) <= SHOWN_WORDS else f"{words[:SHOWN_WORDS]}…"
    said = f"unexpected {type(error).__name__}{': ' if words else ''}{words}"
    if os.environ.get(TRACEBACK_VARIABLE, "0") not in ("", "0"):
        say(*"".join(traceback.format_exception(error)).rstrip("\n").split("\n"), file=sys.stderr)
        return TagscaleError(said)
    return TagscaleError(f"{said}; set {TRACEBACK_VARIABLE}=1 to see where")


def stop_on_sigterm() -> None:
    """Let SIGTERM raise `Stopped` in this process's main thread, and end the process some time later at the latest."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    if not _stopping.acquire(blocking=False):
        return  # a second SIGTERM, which may come before the first one's handler has come this far
    # Most work ends in a moment; a thread that hangs in a read, such as a runner's, must not hold the process back.
    timer = threading.Timer(GRACE_SECONDS, _leave, (STOPPED_WORDS, EXIT_STOPPED))
    timer.daemon = True
    timer.start()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if _deferred is None:
        raise Stopped
    _deferred.set()


@contextlib.contextmanager
def deferred_stop() -> Iterator[Callable[[], bool]]:
    """Let work that must not be cut anywhere ask, at places of its choice, whether SIGTERM has arrived.

    It then saves what it has and raises `Stopped`; work that ends first is followed by `Stopped` all the same. The
    process still ends after `GRACE_SECONDS`.

    Yields:
        A function that returns True once SIGTERM has arrived.
    """
    global _deferred
    event = _deferred = threading.Event()
    handler = signal.getsignal(signal.SIGTERM)
    if handler is _stop:
        signal.signal(signal.SIGTERM, handler)  # once more: a library may have put its own in its place meanwhile
    try:
        yield event.is_set
    finally:
        _deferred = None
    if event.is_set():
        raise Stopped


def _leave(words: str, code: int) -> NoReturn:
    """Exit at once; files are whole at every moment.

    The interpreter's own way out waits for threads, and gRPC's, which a local Beam runner leaves behind, abort the
    process on that way now and then: work that is done would end with SIGABRT.
    """
    _leaving.acquire()  # whoever comes second, the timer or the command itself, has nothing to say any more
    if words:
        say(words, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
