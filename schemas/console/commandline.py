"""What both command lines share: one clear line for an error, and the exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from schemas.console.commands import JSON_OPTION
from schemas.console.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USER_INPUT,
    TagscaleError,
    UserError,
    WorkGoesOn,
)
from schemas.console.interpreter import missing_words
from schemas.console.stopping import STOPPED_WORDS, Stopped, leave, stop_exit_code, stop_on_signals, stop_wins
from schemas.console.terminal import guard_terminal, say
from schemas.console.usage_words import usage_words
from schemas.console.verbosity import Verbosity, set_verbosity

TRACEBACK_VARIABLE = "TAGSCALE_TRACEBACK"
SHOWN_WORDS = 500  # letters of an unexpected error

# What click makes of a group that was called without a command: its help; click 8.1 prints that itself.
_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


def run_command(command: click.Command, name: str, script: str = "") -> NoReturn:
    """Run a click command and exit with the project's codes; any error is one line on stderr.

    With TAGSCALE_TRACEBACK=1 in the environment, an error that nobody foresaw shows its traceback before that line, and an
    error that follows from another shows that one's.

    Args:
        command: what to run with the words of the command line.
        name: how the user started it, as messages show it.
        script: the installed program, which a shell completes; empty where there is none.
    """
    guard_terminal()
    # An option that is not there is an error before the others are read.
    set_verbosity(Verbosity(as_json=JSON_OPTION in sys.argv))
    variable = f"_{script.replace('-', '_').upper()}_COMPLETE"
    try:
        stop_on_signals()
        with stop_wins():
            program = script if script and variable in os.environ else name
            command.main(prog_name=program, standalone_mode=False, complete_var=variable if script else None)
    except SystemExit as wanted:
        leave("", wanted.code if isinstance(wanted.code, int) else EXIT_DONE)
    except click.ClickException as error:  # for example an unknown option: the message is click's own
        if isinstance(error, _HELP):
            say(*error.format_message().split("\n"), file=sys.stderr, level="error")
            leave("", error.exit_code)
        context = getattr(error, "ctx", None)
        words = usage_words(error) if isinstance(error, click.UsageError) else error.format_message()
        leave(f"error: {words} (see {context.command_path if context else name} --help)", error.exit_code)
    except click.Abort:  # a KeyboardInterrupt that came otherwise than by ^C
        leave(STOPPED_WORDS, EXIT_INTERRUPTED)
    except WorkGoesOn as handed_over:
        say(str(handed_over))
        leave("", handed_over.exit_code)
    except TagscaleError as error:
        if error.__cause__ is not None:
            _show_traceback(error.__cause__)
        leave(f"error: {error}", error.exit_code)
    except Stopped:
        leave(STOPPED_WORDS, stop_exit_code())
    except ModuleNotFoundError as error:
        words = missing_words(error.name or "")
        failed = UserError(words) if words else unexpected(error)
        leave(f"error: {failed}", failed.exit_code)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # whoever chose the name can choose another
            shown = str(error.filename or "")[-60:]
            words = f"the name or its path is longer than the file system takes (255 bytes a name): …{shown!r}"
            leave(f"error: {words}; choose a shorter one", EXIT_USER_INPUT)
        if error.errno == errno.EISDIR and error.filename2:  # a file that was made was to get the name of a folder
            words = f"{error.filename2}: expected a file to write, found a folder; choose another name"
            leave(f"error: {words}", EXIT_USER_INPUT)
        leave(f"error: {error.filename2 or error.filename or 'input/output'}: {error.strerror or error}", EXIT_FAILED)
    except Exception as error:
        failed = unexpected(error)
        leave(f"error: {failed}", failed.exit_code)
    leave("", EXIT_DONE)


def unexpected(error: Exception) -> TagscaleError:
    """An error that nobody foresaw, in one line; its traceback goes to stderr if TAGSCALE_TRACEBACK is set."""
    lines = str(error).strip().splitlines()
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        lines = lines[-1:]  # of an error in another process: its own last line says it
    words = " ".join(" ".join(lines).split())
    words = words if len(words) <= SHOWN_WORDS else f"{words[:SHOWN_WORDS]}…"
    said = f"unexpected {type(error).__name__}{': ' if words else ''}{words}"
    is_shown = _show_traceback(error)
    return TagscaleError(said if is_shown else f"{said}; set {TRACEBACK_VARIABLE}=1 to see where")


def _show_traceback(error: BaseException) -> bool:
    """Print an error as Python does, if the environment asks for it; True if it does."""
    if os.environ.get(TRACEBACK_VARIABLE, "0") in ("", "0"):
        return False
    say(*"".join(traceback.format_exception(error)).rstrip("\n").split("\n"), file=sys.stderr, level="error")
    return True
