"""The code of docs/library.md and of the examples of the functions that it names runs in order, with the results shown."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import os
import pkgutil
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.end_to_end.programs import run_program
from tests.training.conftest import write_corpus

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "library.md"
FORMATS = ("mp3", "flac", "ogg", "wav")
SONG_SECONDS = 40

# The packages that export names, in the order of the steps from a catalog to a tagger.
PACKAGES = ("pipeline.audio", "pipeline", "schemas", "training")
# An example comes after the one whose results it needs; the page leaves a second run for `compare`.
ORDER = ("build", "split_dataset", "lay_labels", "train", "export", "tag")
NO_EXAMPLE = {"DatasetError", "LabelVersion", "TagscaleError", "TrackRejected", "UserError"}  # they are not called


def offered() -> list[tuple[str, str]]:
    """The package and the name of everything that the packages export for notebooks."""
    return [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__]


def program() -> str:
    """The page's code blocks as one program, each line where it stands on the page."""
    lines, inside = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        is_fence = line.startswith("```")
        inside = line == "```python" if is_fence else inside
        lines.append(line if inside and not is_fence else "")
    return "\n".join(lines) + "\n"


def promised(code: str) -> list[str]:
    """The lines that the program should print by its own comments: those after a print, and whole lines."""
    return re.findall(r"^(?:\s*print\(.*\)  |)# (.*)$", code, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the page describes it, of real audio files."""
    folder = tmp_path_factory.mktemp("library")
    write_corpus(folder, FORMATS)
    (folder / "tags.yaml").write_text("name: mine\ntop: 50\n", encoding="utf-8")
    noise = np.random.default_rng(0).normal(scale=0.1, size=SONG_SECONDS * 44_100)
    soundfile.write(folder / "song.mp3", noise, 44_100)
    return folder


@pytest.fixture(scope="module")
def ran(home: Path) -> list[str]:
    """The lines that the page's program prints."""
    (home / "page.py").write_text(program(), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = run_program([sys.executable, "page.py"], cwd=home, environment=environment, timeout=1800)
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_the_page_prints_what_it_says(ran: list[str]) -> None:
    expected = promised(program())
    assert len(expected) >= 15
    assert len(ran) == len(expected), ran
    for line, words in zip(ran, expected, strict=True):
        assert re.fullmatch(re.escape(words).replace(r"\.\.\.", ".+"), line), f"expected {words!r}, printed {line!r}"


@pytest.mark.slow
@pytest.mark.usefixtures("ran")
def test_the_example_of_every_offered_name_is_true(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    # The page's folder is used again, since scoring a scored run or building a built generation takes no time.
    names = sorted(offered(), key=lambda one: ORDER.index(one[1]) if one[1] in ORDER else len(ORDER))
    for package, name in names:
        shown = getattr(importlib.import_module(package), name)
        (test,) = doctest.DocTestFinder(recurse=False).find(shown, name, globs={})
        assert bool(test.examples) == (name not in NO_EXAMPLE), f"{package}.{name}"
        said = io.StringIO()
        failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.write)
        assert not failed, said.getvalue()


def test_the_page_imports_every_offered_function_from_its_package() -> None:
    imported = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(program()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported - set(offered()) == set()
    classes = {("schemas", "LogMelSpec"), ("schemas", "WaveformSpec")}
    assert {one for one in offered() if one[1] not in NO_EXAMPLE} - imported - classes == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_what_an_editor_sees_of_a_package_is_what_it_offers(package: str) -> None:
    module = importlib.import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    (homes,) = (ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.Dict))
    assert homes == seen
    assert module.__all__ == sorted(module.__all__)
    assert set(module.__all__) == set(dir(module)) == set(seen)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_offered_name_is_that_of_a_module(package: str) -> None:
    """Importing such a module would replace the exported object of that name."""
    module = importlib.import_module(package)
    assert {found.name for found in pkgutil.iter_modules(module.__path__)} & set(module.__all__) == set()


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    for package in PACKAGES:
        with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nonsense'"):
            _ = importlib.import_module(package).nonsense
