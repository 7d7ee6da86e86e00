"""The contents of the sdist and the wheel, and the commands of an installed wheel, used from another folder.

Nothing is downloaded: the new environment borrows the dependencies from the one that the tests run in.
"""

from __future__ import annotations

import email
import os
import re
import shutil
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.end_to_end.programs import run_program

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "schemas", "training")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"tagscale-{PROJECT['version']}"
# An sdist holds these files beside the packages: those that building a wheel needs, and those that a person looks for.
BESIDE = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"}
WRITTEN = {"PKG-INFO", "setup.cfg"}  # setuptools also writes a folder, tagscale.egg-info
# These files may be in a checkout, and must not be in a distribution.
LITTER = (
    "data/features/x.tfrecord",
    "pipeline_notes/__init__.py",
    "schemas/x.csv",
    "shared/material/__init__.py",
    "training/__pycache__/run.cpython-311.pyc",
)
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, path: Path | None = None, expected: int = 0) -> str:
    """Runs a command without the caller's PYTHONPATH; its program is looked for in `path` first if that is given.

    Returns:
        its stdout, or its stderr if an exit code other than 0 is expected.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    words = [str(word) for word in command]
    ended = run_program(words, cwd=cwd, environment=environment, timeout=600, expected=expected)
    return ended.stderr if expected else ended.stdout


def tracked() -> list[str]:
    """The checkout's files, including those that are not committed yet."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git's")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    return sorted(name for name in listed if (ROOT / name).is_file())


def of_packages(names: list[str]) -> set[str]:
    return {name for name in names if name.split("/")[0] in PACKAGES}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout's files, with some litter among them; building writes into its tree."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", BUILD, "build_sdist", out, cwd=tree)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds from the sdist, as it does when it installs one."""
    out = tmp_path_factory.mktemp("wheel")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", out, sdist, cwd=out)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment, with the wheel installed and borrowed dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    offline = ("--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, "install", *offline, wheel, cwd=folder)
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # Python ignores .pth files in a folder that a .pth file adds, which keeps out an editable install of the checkout.
    lent = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (own / "lent.pth").write_text("".join(f"{path}\n" for path in lent))
    return folder / "bin"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "my music"
    folder.mkdir()
    return folder


def test_the_sdist_holds_the_packages_and_what_building_takes(sdist: Path) -> None:
    assert sdist.name == f"{NAME}.tar.gz"
    with tarfile.open(sdist) as archive:
        names = {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}
    held = {name for name in names if not name.startswith("tagscale.egg-info/")}
    assert held == of_packages(tracked()) | BESIDE | WRITTEN


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    about = {name for name in names if name.startswith(f"{NAME}.dist-info/")}
    assert set(names) - about == of_packages(tracked())
    assert f"{NAME}.dist-info/licenses/LICENSE" in about


def test_the_wheel_of_the_checkout_is_that_of_the_sdist(tree: Path, wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-c", BUILD, "build_wheel", tmp_path, cwd=tree)
    (made,) = tmp_path.glob("*.whl")
    assert made.name == wheel.name
    with zipfile.ZipFile(made) as one, zipfile.ZipFile(wheel) as other:
        assert {name: one.read(name) for name in sorted(one.namelist())} == {
            name: other.read(name) for name in sorted(other.namelist())
        }


def test_the_wheel_says_what_the_project_declares(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        said = email.message_from_bytes(archive.read(f"{NAME}.dist-info/METADATA"))
    assert (said["Name"], said["Version"]) == ("tagscale", PROJECT["version"])
    assert said["Requires-Python"] == PROJECT["requires-python"]
    assert said["License-Expression"] == "Apache-2.0"
    assert said.get_all("Classifier") == PROJECT["classifiers"]
    assert len([line for line in said.get_all("Requires-Dist", []) if "extra ==" not in line]) == len(
        PROJECT["dependencies"]
    )


def test_the_changelog_ends_with_this_version() -> None:
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == PROJECT["version"]


def test_the_installed_packages_are_those_that_run(scripts: Path, elsewhere: Path) -> None:
    program = f"import {', '.join(PACKAGES)}; print({', '.join(f'{name}.__file__' for name in PACKAGES)}, sep='\\n')"
    for file in run(scripts / "python", "-c", program, cwd=elsewhere).splitlines():
        assert Path(file).is_relative_to(scripts.parent)


def test_installed_commands_go_from_music_to_labels_in_another_folder(scripts: Path, elsewhere: Path) -> None:
    (elsewhere / "tags.yaml").write_text("name: mine\nmin_tracks: 1\n")
    commands = (
        ["tagscale-pipeline", "corpus", "--out", "corpus", "--tracks", "24", "--seed", "1", "--seconds", "2"],
        ["tagscale-pipeline", "build", "--catalog", "corpus/catalog.csv", "--dataset", "data"],
        ["python", "-m", "pipeline.run", "label", "--dataset", "data", "--label-set", "tags.yaml"]
        + ["--annotations", "corpus/annotations.csv"],
        ["tagscale-pipeline", "info", "--dataset", "data", "--html", "info.html"],
    )
    printed = [run(*command, cwd=elsewhere, path=scripts) for command in commands]
    assert "next: tagscale-pipeline label --dataset data " in printed[1]
    assert "next: tagscale-train train --dataset data " in printed[2]
    assert (elsewhere / "info.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    refused = run(
        *(
            "tagscale-train",
            "train",
            "--dataset",
            "data",
            "--label-set",
            "other",
            "--frontend",
            "spectrogram",
            "--recipe",  # a YAML file of the installed package
            "small",
            "--out",
            "run",
        ),
        cwd=elsewhere,
        path=scripts,
        expected=2,
    )
    assert refused == (
        "error: label set 'other': not in data (there are mine); make one with `tagscale-pipeline label`\n"
    )


def test_installed_commands_show_their_own_names(scripts: Path, elsewhere: Path) -> None:
    for script in ("tagscale-pipeline", "tagscale-train"):
        said = run(scripts / script, "--help", cwd=elsewhere, path=scripts)
        assert said.startswith(f"Usage: {script} [OPTIONS] COMMAND")
