"""`make venv` names the suitable Pythons, and an environment without the corpus's renderer names what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.end_to_end.programs import outside_make

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def versions(variable: str) -> list[str]:
    (listed,) = re.findall(rf"^{variable} := (.*)$", MAKEFILE, re.MULTILINE)
    return str(listed).split()


def locked(name: str, lock: str) -> str:
    """The lines of a package in a lock file, without its markers."""
    text = (ROOT / "locks" / lock).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^{name}==[^\n]*\n(?: +--hash[^\n]*\n)+", text, re.MULTILINE)
    return re.sub(r" ;[^\n]*\\", r" \\", found)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder without an environment, with the files that are read to make one."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "locks", folder / "locks")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def make(checkout: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = outside_make("PYTHON")
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


def only_error(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line, beside make's own, that a target prints when it fails before it does anything."""
    assert ended.returncode == 2
    assert ended.stdout == ""
    said, of_make = ended.stderr.splitlines()
    assert of_make.startswith("make: *** ")
    return said


@pytest.mark.parametrize("version", ["3.10", "3.14", "4.0"])
def test_an_unsuitable_python_is_refused_with_the_suitable_ones_before_anything_is_made(
    checkout: Path, tmp_path: Path, version: str
) -> None:
    python = program(tmp_path / "python", f"echo {version}")
    assert only_error(make(checkout, "venv", f"PYTHON={python}")) == (
        "error: expected Python 3.11, 3.12 or 3.13, for which every package of locks/dev.txt has a release; "
        f"received {python}, which is {version}; name another: make venv PYTHON=python3.13"
    )
    assert not (checkout / ".venv").exists()


def test_the_environment_of_tensorflow_io_has_pythons_of_its_own(checkout: Path, tmp_path: Path) -> None:
    python = program(tmp_path / "python", "echo 3.13")
    said = only_error(make(checkout, "venv-tfio", f"PYTHON={python}"))
    assert said.startswith(
        "error: expected Python 3.11 or 3.12, for which every package of locks/tfio.txt has a release; "
    )
    assert said.endswith("name another: make venv-tfio PYTHON=python3.12")


def test_a_missing_python_is_reported(checkout: Path) -> None:
    said = only_error(make(checkout, "venv", "PYTHON=/nowhere/python3.11"))
    assert "received /nowhere/python3.11, which does not start; " in said


def test_a_path_without_any_of_them_is_reported(checkout: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    for version in versions("VERSIONS"):
        program(programs / f"python{version}", "exit 127")  # like a version manager's stub for a missing version
    program(programs / "python3", "echo 3.14")
    said = only_error(make(checkout, "venv", path=programs))
    assert "received a path with none of them, where python3 is 3.14; " in said


def test_the_first_python_that_will_do_is_found(checkout: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    for version in versions("VERSIONS"):
        program(programs / f"python{version}", "exit 127")
    # The program is run to get its version, and then to run pip or make an environment.
    program(
        programs / "python3.13", 'case "$2" in *version_info*) echo 3.13 ;; *) echo "asked: $*" >&2; exit 9 ;; esac'
    )
    program(programs / "python3", "echo 3.14")
    ended = make(checkout, "venv", path=programs)
    assert "asked: -m venv --clear --without-pip .venv\n" in ended.stderr


def test_the_pythons_are_those_that_the_package_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    prefix = "Programming Language :: Python :: "
    assert versions("VERSIONS") == [name.removeprefix(prefix) for name in declared if name.startswith(prefix)]
    assert set(versions("TFIO_VERSIONS")) < set(versions("VERSIONS"))


def test_the_renderer_that_is_built_is_the_one_that_is_locked() -> None:
    assert locked("tinysoundfont", "renderer.txt") == locked("tinysoundfont", "dev.txt")


@pytest.fixture
def without_renderer(checkout: Path) -> Path:
    """An environment whose Python says that it is 3.13, and has no tinysoundfont."""
    asked = (
        f'case "$2" in *tinysoundfont*) exit 1 ;; *version_info*) echo 3.13 ;; *) exec {sys.executable} "$@" ;; esac'
    )
    program(checkout / ".venv" / "bin" / "python", asked)
    return checkout


def build_renderer(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", "locks/build_renderer.sh", ".venv", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_without_a_compiler_the_renderer_is_missed_in_one_line(without_renderer: Path, tmp_path: Path) -> None:
    ended = build_renderer(without_renderer, PATH=str(tmp_path / "nothing"))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert re.fullmatch(
        "error: Python 3.13 has no wheel of tinysoundfont, the corpus's renderer, and building it lacks a C[+][+] compiler"
        r"( and Python's headers)?; install what is missing \(Debian: apt-get install g[+][+] python3.13-dev\) "
        "and type: make renderer\n",
        ended.stderr,
    )


def test_an_environment_is_made_without_the_renderer(without_renderer: Path, tmp_path: Path) -> None:
    ended = build_renderer(without_renderer, "optional", PATH=str(tmp_path / "nothing"))
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout.startswith(
        "note: everything works but `make demo` and `pipeline.run corpus`: Python 3.13 has no "
    )


def test_a_build_that_fails_names_its_log(without_renderer: Path, tmp_path: Path) -> None:
    (without_renderer / "locks" / "renderer_build.txt").write_text("no requirement at all\n")
    headers = tmp_path / "include"
    headers.mkdir()
    (headers / "Python.h").write_text("")
    python = without_renderer / ".venv" / "bin" / "python"
    python.write_text(python.read_text().replace("*version_info*)", f"*sysconfig*) echo {headers} ;; *version_info*)"))
    compiler = program(tmp_path / "compiler", "")
    ended = build_renderer(without_renderer, PATH="/usr/bin:/bin", CXX=str(compiler))
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: tinysoundfont, the corpus's renderer, could not be installed; .venv/renderer.log says why; "
        "mend it and type: make renderer\n"
    )
    assert "Invalid requirement" in (without_renderer / ".venv" / "renderer.log").read_text()
    assert not (without_renderer / ".bootstrap").exists()


def test_a_renderer_that_is_there_is_left_alone(checkout: Path) -> None:
    program(checkout / ".venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    ended = build_renderer(checkout, PATH="/usr/bin:/bin")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
