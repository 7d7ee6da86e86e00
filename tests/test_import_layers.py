"""The allowed imports, checked in the sources, and the modules that a decoding process really loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rooms import PAGE, Graph, drawn, fewest_arrows, imports, page, rooms, sources, table

ROOT = Path(__file__).parents[1]


def _offenders(package: str, forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    def within(name: str, packages: tuple[str, ...]) -> bool:
        return any(name == one or name.startswith(f"{one}.") for one in packages)

    return [
        f"{module} imports {name}"
        for module, path in sources().items()
        if within(module, (package,))
        for name in sorted(imports(path))
        if within(name, forbidden) and not within(name, allowed)
    ]


def test_schemas_imports_neither_stage_no_beam_and_no_tensorflow() -> None:
    assert _offenders("schemas", ("pipeline", "training", "apache_beam", "tensorflow", "keras")) == []


def test_training_imports_no_beam_and_only_the_decoding_of_the_pipeline() -> None:
    assert _offenders("training", ("apache_beam",)) == []
    assert _offenders("training", ("pipeline",), allowed=("pipeline.audio",)) == []


def test_the_pipeline_imports_nothing_of_training() -> None:
    assert _offenders("pipeline", ("training",)) == []


def test_only_processes_of_their_own_import_tensorflow_in_the_pipeline() -> None:
    found = {line.split()[0] for line in _offenders("pipeline", ("tensorflow", "tensorflow_io", "keras"))}
    assert found == {"pipeline.audio.tfio_engine", "pipeline.tagging.inference_process"}


def test_only_the_decoding_process_decodes() -> None:
    """A bad file may crash, hang or fill the memory of the process that decodes it."""
    decoders = ("pipeline.audio.tracks", "pipeline.audio.waveform", "soundfile", "av", "tensorflow_io")
    engines = {f"pipeline.audio.{name}" for name in ("soundfile_engine", "pyav_engine", "tfio_engine", "tracks")}
    decoding = {module for module, path in sources().items() if imports(path) & set(decoders)} - engines
    # The corpus uses the libraries to encode, and versions.py records their versions.
    assert decoding == {"pipeline.audio.decoding_process", "pipeline.corpus.encoding", "pipeline.jobs.versions"}


def _graph() -> Graph:
    """Module -> the modules of the three packages that it imports."""
    return {module: imports(path) & (sources().keys() - {module}) for module, path in sources().items()}


def _require_no_circle(graph: Graph) -> None:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for imported in sorted(graph[name]):
                visit(imported, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_modules_import_each_other_without_cycles() -> None:
    _require_no_circle(_graph())


def test_rooms_import_each_other_without_cycles() -> None:
    """Rooms form layers, so that each can be read with only the rooms below it."""
    assert {"training.fit", "training.run", "pipeline.jobs", "schemas.storage"} <= rooms().keys()
    _require_no_circle(rooms())


def test_the_page_shows_the_rooms_as_they_are() -> None:
    """The graphs and tables of docs/design.md come from the imports and the docstrings."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.rooms`, which updates the page"


def test_every_room_is_on_the_page_and_says_what_is_in_it() -> None:
    shown = drawn()
    for room in rooms():
        assert f"`{room.replace('.', '/')}" in shown
    lines = [line for package in ("schemas", "pipeline", "training") for line in table(package).splitlines()]
    assert [line for line in lines if line.endswith("|  |")] == []


def test_an_arrow_is_left_out_where_others_say_it_and_a_circle_is_not() -> None:
    line = {"run": {"fit", "data"}, "fit": {"data"}, "data": set()}
    assert fewest_arrows(line) == {"run": {"fit"}, "fit": {"data"}, "data": set()}
    circle = {"evaluation": {"report", "data"}, "report": {"evaluation", "data"}, "data": set()}
    assert fewest_arrows(circle) == circle


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "pipeline.audio.decoding_process",
            {"apache_beam", "tensorflow", "librosa", "numba", "pyarrow", "av", "gcsfs", "jinja2", "rich"},
        ),
        ("pipeline.jobs.transforms", {"tensorflow", "keras", "librosa", "numba", "jinja2", "rich"}),
        ("pipeline.tagging.shards", {"tensorflow", "keras", "librosa", "numba", "jinja2", "rich"}),
        ("pipeline.info.page", {"tensorflow", "keras", "apache_beam", "jinja2", "rich"}),
        ("training.config_sources", {"tensorflow", "keras", "apache_beam"}),
        ("schemas.console.commandline", {"numpy", "pyarrow", "jinja2", "rich"}),
        ("schemas.console.progress", {"rich"}),
        ("schemas", {"numpy", "pyarrow"}),
        ("pipeline", {"numpy", "apache_beam"}),
        ("pipeline.audio", {"numpy", "soundfile"}),
        ("training", {"numpy", "keras", "tensorflow"}),
    ],
)
def test_importing_a_module_stays_light(module: str, absent: set[str]) -> None:
    program = f"import sys, {module}\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True, cwd=ROOT
    )
    assert set(ended.stdout.split()) & absent == set()
