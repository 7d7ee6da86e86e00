"""The command line of a benchmark."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator

from schemas.console.errors import TagscaleError


def number_given(description: str | None, option: str, default: int) -> int:
    """The number that the only option of a benchmark gives: how often to measure."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument(f"--{option}", type=int, default=default, dest="number", metavar=option.upper())
    return int(arguments.parse_args().number)


@contextlib.contextmanager
def ends_with_one_line() -> Iterator[None]:
    """End the process with one line, and the error's exit code, where an error is written for the user."""
    try:
        yield
    except TagscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
