"""The commands of docs/published_weights.md have the options that the page shows."""

from __future__ import annotations

import shlex

import click
import pytest

import pipeline.run
import training.run
from tests.end_to_end.test_documents import ROOT, documented_commands

PROGRAMS: dict[tuple[str, ...], click.Group] = {
    ("python", "training/run.py"): training.run.cli,
    ("python", "-m", "pipeline.run"): pipeline.run.cli,
}
COMMANDS = [
    command for command in documented_commands(ROOT / "docs" / "published_weights.md") if not command.startswith("make")
]


def test_the_page_shows_commands() -> None:
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_understood(command: str) -> None:
    words = shlex.split(command)
    (program,) = [program for program in PROGRAMS if tuple(words[: len(program)]) == program]
    name, *given = words[len(program) :]
    context = click.Context(PROGRAMS[program])
    found = PROGRAMS[program].get_command(context, name)
    assert found is not None
    found.make_context(name, given, parent=context)
