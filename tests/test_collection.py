"""No test is overlooked: with the project's settings, pytest reaches every file that contains tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"

# Walks the folders as pytest does, but imports no test, which takes half a second instead of half a minute.
WALK = """
import pytest, sys

class Reached:
    def pytest_collect_file(self, file_path):
        print("reached", file_path)

options = "--collect-only -q --noconftest -p no:python -p no:cacheprovider"
pytest.main([*options.split(), *sys.argv[1:]], plugins=[Reached()])
"""


def reached(*arguments: str) -> set[Path]:
    """The files that pytest reaches below its configured folders, or below the given ones."""
    walked = subprocess.run(
        [sys.executable, "-c", WALK, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    return {Path(line.removeprefix("reached ")) for line in walked.splitlines() if line.startswith("reached ")}


def files_with_tests(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*.py") if re.search(r"^\s*def test_", path.read_text("utf-8"), re.MULTILINE)}


def test_pytest_reaches_every_file_that_holds_tests() -> None:
    assert files_with_tests(TESTS) - reached() == set()


def test_a_file_that_holds_tests_is_named_as_one() -> None:
    assert {path.name for path in files_with_tests(TESTS) if not path.name.startswith("test_")} == set()


def test_a_folder_that_pytest_passes_over_is_found_out(tmp_path: Path) -> None:
    for name in ("build", "decode"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "test_it.py").write_text("def test_nothing(): ...\n")
    assert files_with_tests(tmp_path) - reached(str(tmp_path)) == {tmp_path / "build" / "test_it.py"}
