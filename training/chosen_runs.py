"""The runs that a command works on: one, or several as an ensemble."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


def run_folders(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `run_folders`, from --run, which may be repeated, and from arguments without an option."""

    @click.option(
        "--run", "runs", multiple=True, help="Folder of the run; given again, of a further one of an ensemble."
    )
    @click.argument("more_runs", nargs=-1, metavar="[RUN]...")
    @functools.wraps(command)
    def with_folders(runs: tuple[str, ...], more_runs: tuple[str, ...], **options: Any) -> None:
        folders = (*runs, *more_runs)
        if not folders:
            raise click.UsageError("Missing option '--run'.")
        command(run_folders=folders, **options)

    return with_folders
