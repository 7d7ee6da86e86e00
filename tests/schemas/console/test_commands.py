"""All commands of both programs have options for messages, grouped help and an example that can be typed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pipeline.demo import demo
from pipeline.run import cli as pipeline_cli
from schemas.console.commands import Command, Group
from training.run import cli as training_cli

ROOT = Path(__file__).parents[3]
MESSAGES = {"--quiet", "--verbose", "--log-json"}


def commands_of(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Words that start a command -> the command; groups are commands too."""
    yield words, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, (*words, name))
        else:
            yield (*words, name), command


EVERY = {
    " ".join(words): command
    for name, group in (("pipeline", pipeline_cli), ("training", training_cli))
    for words, command in commands_of(group, (name,))
} | {"demo": demo}
COMMANDS = {name: command for name, command in EVERY.items() if not isinstance(command, click.Group)}


def help_of(name: str) -> str:
    command = EVERY[name]
    return command.get_help(click.Context(command, info_name=name))


def test_both_programs_are_walked() -> None:
    assert {"pipeline build", "pipeline import msd", "training train", "training tag", "demo"} <= COMMANDS.keys()
    assert len(COMMANDS) >= 23


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options_for_messages(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, Command)
    assert {option for one in command.params for option in one.opts} >= MESSAGES


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_in_one_group(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, Command)
    own = [one.opts[0] for one in command.params if isinstance(one, click.Option) and one.opts[0] not in MESSAGES]
    grouped = [option for options in command.page.groups.values() for option in options]
    assert sorted(grouped) == sorted(own)
    shown = help_of(name)
    titles = [line.removesuffix(":") for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == [*command.page.groups, "Messages", "Example"]


@pytest.mark.parametrize("name", EVERY)
def test_the_help_ends_with_an_example_that_parses(name: str) -> None:
    command = EVERY[name]
    *_, title, example = help_of(name).splitlines()
    assert title == "Example:"
    assert example.startswith(f"  {name} ")
    words = shlex.split(example.removeprefix(f"  {name} "))
    while isinstance(command, Group):
        command = command.commands[words.pop(0)]
    with command.make_context(name, list(words)) as context:
        assert context.params


@pytest.mark.parametrize("start", [("-m", "pipeline.run", "info"), ("training/run.py", "train")])
def test_quiet_and_verbose_exclude_each_other(start: tuple[str, ...]) -> None:
    ended = run(*start, "--quiet", "--verbose")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: expected --quiet or --verbose, received both; leave one out (see ")


def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )


def test_an_error_is_a_json_object_too(tmp_path: Path) -> None:
    for words in (
        ("-m", "pipeline.run", "info", "--log-json", "--dataset", tmp_path),
        ("-m", "pipeline.run", "info", "--log-json", "--no-such-option"),
        ("-m", "pipeline.run", "no-such-command", "--log-json"),
        ("training/run.py", "train", "--log-json", "--out", tmp_path, "--dataset", tmp_path, "--label-set", "a")
        + ("--frontend", "x"),
    ):
        ended = run(*words)
        (line,) = ended.stderr.splitlines()
        said = json.loads(line)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert (said["level"], said["event"]) == ("error", "message")
        assert said["message"]
        assert not said["message"].startswith("error: ")


def test_quiet_leaves_errors_warnings_and_json(dataset: Path, small_corpus, run_pipeline) -> None:
    assert run_pipeline("info", "--dataset", dataset, "--quiet").stdout == ""
    asked = run_pipeline("info", "--dataset", dataset, "--json")
    assert run_pipeline("info", "--dataset", dataset, "--json", "--quiet").stdout == asked.stdout
    ended = run_pipeline("split", "--dataset", dataset, "--name", "odd", "--ratios", "100,0,0", "--quiet")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "  warning: there is no validation track: `train` refuses these labels, it needs a validation side",
        "  warning: there is no test track",
    ]
    ended = run_pipeline("info", "--dataset", dataset / "nothing", "--quiet")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)


def test_log_json_prints_the_summary_as_one_object(dataset: Path, run_pipeline) -> None:
    plain = run_pipeline("info", "--dataset", dataset).stdout.splitlines()
    ended = run_pipeline("info", "--dataset", dataset, "--log-json")
    (line,) = ended.stdout.splitlines()
    summary = json.loads(line)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (summary["level"], summary["event"]) == ("info", "summary")
    assert [part["line"] for part in summary["parts"]] == [line.strip() for line in plain]
    assert [part["kind"] for part in summary["parts"]][:: len(plain) - 1] == ["heading", "next"]
    (line,) = run_pipeline("info", "--dataset", dataset, "--log-json", "--json").stdout.splitlines()
    assert json.loads(line) == json.loads(run_pipeline("info", "--dataset", dataset, "--json").stdout)


def test_verbose_logs_the_files_on_stderr(dataset: Path, run_pipeline) -> None:
    plain = run_pipeline("info", "--dataset", dataset)
    ended = run_pipeline("info", "--dataset", dataset, "--verbose")
    assert (ended.returncode, ended.stdout) == (0, plain.stdout)
    assert f"debug: schemas.storage.files: read {dataset / 'dataset.json'}" in ended.stderr.splitlines()
    said = json.loads(run_pipeline("info", "--dataset", dataset, "--verbose", "--log-json").stderr.splitlines()[0])
    assert (said["level"], said["event"]) == ("debug", "message")


@pytest.mark.parametrize(
    ("program", "start", "words", "expected"),
    [
        ("tagscale-pipeline", ("-m", "pipeline.run"), "bui", "plain,build"),
        ("tagscale-pipeline", ("-m", "pipeline.run"), "build --cata", "plain,--catalog"),
        ("tagscale-train", ("training/run.py",), "evaluate --split val", "plain,validation"),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    program: str, start: tuple[str, ...], words: str, expected: str
) -> None:
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    script = run(*start, **{variable: "bash_source"})
    assert script.returncode == 0
    assert f"{variable}=bash_complete" in script.stdout
    assert any(line.endswith(f"_completion {program}") for line in script.stdout.splitlines())
    typed = {"COMP_WORDS": f"{program} {words}", "COMP_CWORD": str(len(words.split()))}
    completed = run(*start, **{variable: "bash_complete", **typed})
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.splitlines() == [expected]
