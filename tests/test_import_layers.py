"""Who may import whom, read off the sources; and what a decoding process really loads."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "pipeline", "training")


def _sources() -> dict[str, Path]:
    """Dotted name -> file of every module of the three packages."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def _imports(path: Path, *, at_import_time: bool = False) -> set[str]:
    """Dotted names that a file imports, anywhere in it or only when it is itself imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_import_time else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _offenders(package: str, forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    def within(name: str, packages: tuple[str, ...]) -> bool:
        return any(name == one or name.startswith(f"{one}.") for one in packages)

    return [
        f"{module} imports {name}"
        for module, path in _sources().items()
        if within(module, (package,))
        for name in sorted(_imports(path))
        if within(name, forbidden) and not within(name, allowed)
    ]


def test_schemas_imports_neither_stage_no_beam_and_no_tensorflow() -> None:
    assert _offenders("schemas", ("pipeline", "training", "apache_beam", "tensorflow", "keras")) == []


def test_training_imports_no_beam_and_of_the_pipeline_only_the_decoding() -> None:
    assert _offenders("training", ("apache_beam",)) == []
    assert _offenders("training", ("pipeline",), allowed=("pipeline.audio",)) == []


def test_the_pipeline_imports_nothing_of_training() -> None:
    assert _offenders("pipeline", ("training",)) == []


def test_of_the_pipeline_one_module_imports_tensorflow() -> None:
    found = {line.split()[0] for line in _offenders("pipeline", ("tensorflow", "tensorflow_io", "keras"))}
    assert found == {"pipeline.audio.tfio_engine"}


def test_only_the_decoding_process_decodes() -> None:
    """A bad file may crash, hang or fill whatever process decodes it."""
    decoders = ("pipeline.audio.tracks", "pipeline.audio.waveform", "soundfile", "av", "tensorflow_io")
    engines = {f"pipeline.audio.{name}" for name in ("soundfile_engine", "pyav_engine", "tfio_engine", "tracks")}
    decoding = {module for module, path in _sources().items() if _imports(path) & set(decoders)} - engines
    # The corpus is encoded, and of the libraries the versions are written down.
    assert decoding == {"pipeline.audio.decoding_process", "pipeline.corpus.encoding", "pipeline.jobs.versions"}


def test_modules_import_each_other_without_cycles() -> None:
    sources = _sources()
    graph = {module: {name for name in _imports(path) if name in sources} for module, path in sources.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for imported in graph[module] - {module}:
                visit(imported, (*trail, module))
            done.add(module)

    for module in sources:
        visit(module, ())


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "pipeline.audio.decoding_process",
            {"apache_beam", "tensorflow", "librosa", "numba", "pyarrow", "av", "gcsfs", "jinja2"},
        ),
        ("pipeline.jobs.transforms", {"tensorflow", "keras", "librosa", "numba", "jinja2"}),
        ("pipeline.info.page", {"tensorflow", "keras", "apache_beam", "jinja2"}),
        ("training.config", {"tensorflow", "keras", "apache_beam"}),
    ],
)
def test_importing_a_module_stays_light(module: str, absent: set[str]) -> None:
    program = f"import sys, {module}\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True, cwd=ROOT
    )
    assert set(ended.stdout.split()) & absent == set()
