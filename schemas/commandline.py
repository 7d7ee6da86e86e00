"""What both command lines share: one clear line for an error, the exit codes, and the stop by SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

import click

from schemas.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_STOPPED, TagscaleError

GRACE_SECONDS = 20.0  # from SIGTERM to the exit at the latest; clouds and clusters give 30
STOPPED_WORDS = "stopped; what is finished is kept: run the same command again to go on"


class Stopped(BaseException):
    """SIGTERM arrived. Not an Exception, so that no handler on the way takes it for a failure of its own."""


def run_command(command: click.Command, name: str) -> NoReturn:
    """Run a click command and exit with the project's codes; an error the user can mend is one line on stderr."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:  # unknown options and the like: click's own words
        words = error.format_message()
        if "\n" in words:  # the help of a group that was called without a command
            print(words, file=sys.stderr)
        else:
            context = getattr(error, "ctx", None)
            print(f"error: {words} (see {context.command_path if context else name} --help)", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.Abort:
        _leave("interrupted", EXIT_INTERRUPTED)
    except TagscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Stopped:
        _leave(STOPPED_WORDS, EXIT_STOPPED)
    except OSError as error:
        print(f"error: {error.filename or 'input/output'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    sys.exit(0)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    # Most work ends in a moment; a thread that hangs in a read, such as a runner's, must not hold the process back.
    timer = threading.Timer(GRACE_SECONDS, _leave, (STOPPED_WORDS, EXIT_STOPPED))
    timer.daemon = True
    timer.start()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _leave(words: str, code: int) -> NoReturn:
    """Exit without waiting for threads; files are whole at every moment."""
    print(words, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
