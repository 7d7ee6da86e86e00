"""An installation contains every file of the packages, including those that are not Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "pipeline", "training")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # the build changes sys.argv
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


def _sources(root: Path) -> set[str]:
    """Paths of all files of the packages."""
    return {
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, which Dataflow workers install, and the wheel."""
    checkout, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in FILES:
        shutil.copy(ROOT / name, checkout / name)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    ended = subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=checkout, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return out


def test_the_source_archive_holds_every_file(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert _sources(ROOT) - names == set()


def test_the_wheel_holds_every_file(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert _sources(ROOT) - set(file.namelist()) == set()


def test_a_page_is_rendered_out_of_the_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    program = (
        f"import sys; sys.path.insert(0, {str(wheel)!r})\n"
        "from schemas.console import page\n"
        "for package, name in (('schemas.console', 'base.html'), ('pipeline.info', 'info.html')):\n"
        "    page._environment(package).get_template(name)\n"
        "print(page.__file__, page.render_page('schemas.console', 'base.html', title='a & b'))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(str(wheel))
    assert "<title>a &amp; b</title>" in ended.stdout
