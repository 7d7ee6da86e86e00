"""Git ignores the files that the documented commands write into a checkout."""

from __future__ import annotations

import itertools
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.test_documents import documented_commands, documents

ROOT = Path(__file__).parents[1]
FOLDERS = ("--out", "--dataset", "--stage", "--timeline")
FILES = ("--html", "--csv")


@pytest.fixture(autouse=True)
def _in_a_checkout() -> None:
    if shutil.which("git") is None or _git("rev-parse", "--show-toplevel").returncode:
        pytest.skip("this is not a git checkout")


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def outputs() -> set[str]:
    """Relative paths that the commands in README.md and docs/ write; a folder is represented by a file in it."""
    made = {
        "demo/summary.json",
        ".venv/pyvenv.cfg",
        ".venv-tfio/pyvenv.cfg",
        "catalog.csv",
        "annotations.csv",
        "tags.yaml",
    }
    for document in documents():
        for command in documented_commands(document):
            words = [part for word in shlex.split(command) for part in word.split("=", 1)]
            for option, value in itertools.pairwise(words):
                if "://" not in value and option in (*FOLDERS, *FILES):
                    made.add(value if option in FILES else f"{value}/any")
    return made


def test_git_ignores_all_that_the_documented_commands_make() -> None:
    made = outputs()
    assert {"data/any", "run/any", "run/saved_model/any", "run_waveform/any", "labels.html", "own/any"} <= made
    # Git does not look beyond links, and .venv may be one.
    looked_at = sorted(path for path in made if not (ROOT / path.split("/")[0]).is_symlink())
    ignored = _git("check-ignore", "--", *looked_at).stdout.split()
    assert sorted(set(looked_at) - set(ignored)) == []


def test_git_ignores_nothing_that_is_part_of_the_project() -> None:
    assert _git("ls-files", "--cached", "--ignored", "--exclude-standard").stdout == ""
    for path in (
        "pipeline/labels/data/x.py",
        "training/data/x.py",
        "pipeline/run/x.py",
        "schemas/records/x.py",
        "tests/study/x.py",
    ):
        assert _git("check-ignore", "-q", path).returncode == 1, path
