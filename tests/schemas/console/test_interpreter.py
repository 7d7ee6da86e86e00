"""Starting with the wrong Python, or one without the packages, prints one line that says what to type."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from schemas.console import interpreter
from schemas.console.interpreter import EXTRAS, PACKAGES, install_advice, missing_words

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = (
    ("-m", "pipeline.run", "build", "--help"),
    ("training/run.py", "train", "--help"),
    ("-m", "pipeline.demo"),
    ("-m", "benchmarks.planning"),
    ("-m", "benchmarks"),
)
ENTRIES = ("pipeline/run.py", "training/run.py", "pipeline/demo.py", "benchmarks/__init__.py", "training/__init__.py")
OLD_PYTHONS = ("python3.6", "python3.8", "python3.9", "python3.10")


def _of_packages(requirements: list[str]) -> set[str]:
    """Normalized names of distributions."""
    return {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in requirements}


def _distribution(module: str) -> str:
    named = {"google.protobuf": "protobuf", "tensorflow_io": "tensorflow-io", "keras": "keras"}
    if module in named:
        return named[module]
    found = importlib.metadata.packages_distributions().get(module, [module])
    return sorted(found)[0].lower().replace("_", "-")


def run(python: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_modules_are_those_of_the_dependencies() -> None:
    assert {_distribution(module) for module in PACKAGES} == _of_packages(PROJECT["dependencies"])


def test_every_extra_that_is_named_has_its_package() -> None:
    extras = PROJECT["optional-dependencies"]
    for module, extra in EXTRAS.items():
        # No extra lists the first, which is installed without its dependencies; the second is tensorflow-cpu here.
        if module not in ("tinysoundfont", "tensorflow"):
            assert _distribution(module) in _of_packages(extras[extra]), module
    wanted = _of_packages([*extras["train"], *extras["corpus"], "tensorflow-io"])
    assert wanted <= {_distribution(module) for module in EXTRAS} | {"tensorflow"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_python_without_the_packages_is_one_line_and_exit_code_2(command: tuple[str, ...]) -> None:
    ended = run(sys.executable, "-S", *command)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert re.fullmatch(
        r"error: (apache_beam, )?av, click(, fsspec)? and \d+ more are not installed for .*\n", ended.stderr
    )
    environment = "source .venv/bin/activate" if (ROOT / ".venv").exists() else "make venv && source .venv/bin/activate"
    assert environment in ended.stderr


@pytest.mark.parametrize("python", OLD_PYTHONS)
def test_an_old_python_says_which_one_is_needed(python: str) -> None:
    found = shutil.which(python)
    if found is None or run(found, "--version").returncode:
        pytest.skip(f"there is no {python} here")
    for command in COMMANDS:
        ended = run(found, *command)
        assert ended.returncode == 2, command
        assert ended.stderr.startswith("error: expected Python 3.11 or newer, received 3."), command
        assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "path",
    [
        "schemas/console/interpreter.py",
        "schemas/__init__.py",
        "schemas/lazy_names.py",
        "schemas/console/__init__.py",
        "pipeline/__init__.py",
        *ENTRIES,
    ],
)
def test_what_an_old_python_reads_first_is_in_its_grammar(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))
    assert not re.search("^from __future__ import annotations", text, re.MULTILINE)  # needs Python 3.7


def test_an_old_python_is_refused_with_the_version_and_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interpreter, "OLDEST", (99, 1))
    with pytest.raises(SystemExit) as left:
        interpreter.require_packages()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(
        f"error: expected Python 99.1 or newer, received {sys.version.split()[0]} ({sys.executable}); "
    )
    assert "venv" in said


def test_a_python_is_old_below_what_the_project_declares() -> None:
    assert PROJECT["requires-python"] == f">={'.'.join(map(str, interpreter.OLDEST))}"


def test_a_package_that_is_missed_later_is_one_line_too() -> None:
    program = (
        "import sys, click; from schemas.console.commandline import run_command\n"
        "sys.modules['matplotlib'] = None\n"
        "@click.command()\ndef draw():\n    import matplotlib.pyplot\n"
        "run_command(draw, 'draw')"
    )
    ended = run(sys.executable, "-c", program)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: matplotlib is not installed for ")
    assert "pip install '.[train]', or '.[train-cpu]' without a GPU" in ended.stderr
    foreign = run(sys.executable, "-c", program.replace("matplotlib", "no_such_module"))
    assert foreign.returncode == 1
    assert foreign.stderr.startswith("error: unexpected ModuleNotFoundError: ")


def test_what_advice_names_is_a_target_and_an_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = set(PROJECT["optional-dependencies"])
    said = [install_advice(extra) for extra in ("", *EXTRAS.values())]
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    said += [install_advice()]
    monkeypatch.setattr(interpreter, "RENDERER_IS_BUILT", (3, 0))
    said += [install_advice("corpus")]
    assert "make renderer" in said[-1]
    monkeypatch.setattr(interpreter, "checkout", lambda: str(tmp_path))
    said += [install_advice(), install_advice("train")]
    monkeypatch.setattr(interpreter, "checkout", lambda: "")
    said += [install_advice("gcp")]
    documents = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    for words in (*said, *documents):
        assert set(re.findall(r"(?:: |&& |`|^ {4})make ([a-z-]+)", words, re.MULTILINE)) <= targets
        assert set(re.findall(r"pip install '\.\[([a-z-]+)\]'", words)) <= extras
    assert "make venv && source .venv/bin/activate" in said[-2]
    assert "rm -r .venv && make venv" in said[-5]


def test_nothing_advises_to_install_what_no_index_has() -> None:
    written = [path for folder in ("schemas", "pipeline", "training") for path in (ROOT / folder).rglob("*.py")]
    for path in (*written, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        assert not re.search(r"pip install '?\"?tagscale", path.read_text(encoding="utf-8")), path


def test_an_unknown_module_is_not_explained() -> None:
    assert missing_words("no_such_module.part") == ""
    assert missing_words("google.protobuf.message").startswith("google is not installed")
