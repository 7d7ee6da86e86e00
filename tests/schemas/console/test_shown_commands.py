"""Commands are shown as they were started, with paths that a shell accepts as they are."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.run import cli as pipeline_cli
from schemas.console import shown_commands
from schemas.console.shown_commands import pipeline_command, training_command
from training.run import cli as training_cli

ROOT = Path(__file__).parents[3]


@pytest.fixture
def activated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This process's own environment, with its programs on the path."""
    folder = tmp_path / "an environment" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "tagscale-pipeline", "tagscale-train"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.chdir(ROOT)
    return folder


def test_in_a_checkout_the_modules_are_run(activated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "pipeline" / "run.py"), "build"])
    assert pipeline_command("build", "--catalog", "my music.csv") == (
        "python -m pipeline.run build --catalog 'my music.csv'"
    )
    assert training_command("tag", "--model", "it's") == """python training/run.py tag --model 'it'"'"'s'"""


def test_elsewhere_the_program_of_the_checkout_is_named_whole(
    activated: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shlex.split(training_command("tag")) == ["python", str(ROOT / "training" / "run.py"), "tag"]


def test_the_interpreter_is_named_where_another_one_is_on_the_path(
    activated: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.chdir(tmp_path)
    assert shlex.split(pipeline_command("info"))[0] == "an environment/bin/python"
    monkeypatch.chdir(ROOT)
    assert shlex.split(pipeline_command("info"))[0] == str(activated / "python")


def test_what_an_installed_program_started_goes_on_with_it(activated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(activated / "tagscale-train"), "train"])
    assert training_command("evaluate", "--run", "a b") == "tagscale-train evaluate --run 'a b'"
    assert pipeline_command("info") == "tagscale-pipeline info"
    monkeypatch.setenv("PATH", "/usr/bin")
    assert pipeline_command("info") == shlex.join([str(activated / "tagscale-pipeline"), "info"])


def test_without_a_checkout_the_installed_programs_are_named(activated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_commands, "checkout", lambda: "")
    assert (pipeline_command("info"), training_command("tag")) == ("tagscale-pipeline info", "tagscale-train tag")


def test_no_other_place_spells_a_command_that_is_shown() -> None:
    """The page of a run is an exception, since it must be the same wherever it was written."""
    spelled = re.compile(r"""python -m pipeline|python training/run|["`](pipeline|training/)\.?run(\.py)? """)
    for path in (path for folder in ("schemas", "pipeline", "training") for path in (ROOT / folder).rglob("*.py")):
        code = re.sub(r'""".*?"""|#.*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        if path.name not in ("shown_commands.py", "demo.py") and path != ROOT / "training" / "report" / "commands.py":
            assert not spelled.search(code), path


def _shown() -> Iterator[tuple[Path, str, list[str]]]:
    """The file, stage and literal words of each command that is shown; the values of variables are looked up."""
    for path in (path for folder in ("schemas", "pipeline", "training") for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tuples = {
            node.targets[0].id: node.value.elts
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Tuple | ast.List)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("ing_command"):
                stage = "training"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pipeline_command":
                stage = "pipeline"
            else:
                continue
            words: list[ast.expr] = []
            for word in node.args:
                if not isinstance(word, ast.Starred):
                    words.append(word)
                elif isinstance(word.value, ast.Name):
                    words += tuples[word.value.id]
                elif isinstance(word.value, ast.Call):  # shlex.split of a literal
                    words += [ast.Constant(one) for one in shlex.split(ast.literal_eval(word.value.args[0]))]
            literal = [one.value for one in words if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if literal:
                yield path, stage, literal


def test_every_command_that_is_shown_has_the_options_that_it_shows() -> None:
    groups = {"pipeline": pipeline_cli, "training": training_cli}
    shown = list(_shown())
    assert len(shown) >= 20
    for path, stage, (name, *words) in shown:
        command = groups[stage].commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, (path, name)
