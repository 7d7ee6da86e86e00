"""What both command lines share: one clear line for an error, the exit codes, and the stop by SIGTERM."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from schemas.errors import EXIT_FAILED, EXIT_STOPPED, TagscaleError


class Stopped(BaseException):
    """SIGTERM arrived. Not an Exception, so that no handler on the way takes it for a failure of its own."""


def run_command(command: click.Command, name: str) -> NoReturn:
    """Run a click command and exit with the project's codes; an error the user can mend is one line on stderr."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:  # unknown options and the like: click's own words
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except TagscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Stopped:
        print("stopped; what is finished is kept: run the same command again to go on", file=sys.stderr)
        sys.exit(EXIT_STOPPED)
    except OSError as error:
        print(f"error: {error.filename or 'input/output'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    sys.exit(0)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped
