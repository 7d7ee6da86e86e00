"""Errors that a user sees as one line, and the exit codes that go with them."""

import difflib
from collections.abc import Iterable

EXIT_DONE = 0
EXIT_FAILED = 1  # any failure other than wrong input and stops, such as a broken dataset
EXIT_USER_INPUT = 2  # the user's input is wrong
EXIT_REGRESSION = (
    3  # `compare`: the second run may be worse than --max-regression lets pass, or more than --max-flips flip
)
EXIT_INTERRUPTED = 130  # Ctrl-C, with the shell's exit code
EXIT_STOPPED = 75  # stopped by SIGTERM with its state saved: run the same command again


class TagscaleError(Exception):
    """An error whose message is written for the user; shown without a traceback."""

    exit_code = EXIT_FAILED


class UserError(TagscaleError):
    """The user's input is wrong. The message says what was expected, what was received, and what to do."""

    exit_code = EXIT_USER_INPUT


class DatasetError(TagscaleError):
    """A dataset on disk contradicts its own manifests: a missing, changed, short or foreign file."""

    exit_code = EXIT_FAILED


class WorkGoesOn(TagscaleError):  # noqa: N818 (no error)
    """No failure: the command has handed its work to an engine and ends before it. The message says how to go on."""

    exit_code = EXIT_DONE


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message: the known name most similar to `name`, ignoring case, or an empty string."""
    spelling: dict[str, str] = {}
    for other in known:
        spelling.setdefault(other.casefold(), other)
    match = difflib.get_close_matches(name.casefold(), spelling, n=1)
    return f"; did you mean {spelling[match[0]]!r}?" if match else ""
