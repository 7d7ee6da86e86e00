"""The error for an unknown option names the option that was probably meant."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from pipeline.run import cli as pipeline_cli
from schemas.console.usage_words import ALIASES, suggestion, usage_words
from training.run import cli as training_cli


def _commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from _commands(command)
        else:
            yield command


COMMANDS = {command.name: command for group in (pipeline_cli, training_cli) for command in _commands(group)}


def said(group: click.Group, *arguments: str) -> str:
    with pytest.raises(click.UsageError) as error:
        group.main(list(arguments), standalone_mode=False)
    return usage_words(error.value)


@pytest.mark.parametrize(
    ("command", "option", "meant"),
    [
        ("train", "--lr", "--learning-rate"),
        ("train", "--LR", "--learning-rate"),
        ("train", "--bs", "--batch-size"),
        ("train", "--batch", "--batch-size"),
        ("train", "--batch_size", "--batch-size"),
        ("train", "--epoch", "--epochs"),
        ("train", "--data", "--dataset"),
        ("train", "--output", "--out"),
        ("train", "-o", "--out"),
        ("train", "--gpu", "--strategy"),
        ("train", "--patience", "--stop-epochs"),
        ("train", "--fp16", "--precision"),
        ("evaluate", "--checkpoint", "--run"),
        ("tag", "--checkpoint", "--model"),
    ],
)
def test_the_option_that_other_tools_call_so_is_named(command: str, option: str, meant: str) -> None:
    assert said(training_cli, command, option, "1") == f"No such option {option}; did you mean {meant}?"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--output", "x"), "; did you mean --dataset?"),
        (("build", "-j", "4"), "; did you mean --workers?"),
        (("build", "--num_workers", "4"), "; did you mean --workers?"),
        (("build", "--max-reject", "4"), "; did you mean --max-reject-rate?"),
        (("import", "table", "--seperator", ","), "; did you mean --separator?"),
        (("build", "--qqqq"), ""),
        (("--dataset", "x", "build"), "; options stand behind the name of a command"),
    ],
)
def test_the_pipeline_says_so_too(arguments: tuple[str, ...], words: str) -> None:
    option = next(one for one in arguments if one.startswith("-"))
    assert said(pipeline_cli, *arguments) == f"No such option {option}{words}"


def test_a_command_that_is_not_there_is_answered_by_the_nearest() -> None:
    assert "'train'" in said(training_cli, "trian")


def test_every_alias_leads_to_an_option_of_some_command_without_that_alias() -> None:
    options = {
        name: {option.lstrip("-") for one in command.params for option in (*one.opts, *one.secondary_opts)}
        for name, command in COMMANDS.items()
    }
    for alias, targets in ALIASES.items():
        for target in targets:
            assert any(target in known for known in options.values()), (alias, target)
            assert any(
                suggestion(f"--{alias}", [f"--{one}" for one in known]) == f"; did you mean --{target}?"
                for known in options.values()
                if alias not in known
            ), (alias, target)
