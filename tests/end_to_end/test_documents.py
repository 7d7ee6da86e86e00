"""Runs every command in README.md and docs/, in order, on a user's own small catalog."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import write_tables
from tests.end_to_end.programs import run_program
from tests.pipeline.importers.small_publications import write_publications
from tests.warm_commands import run_warm

ROOT = Path(__file__).parents[2]
TRACKS = 40
TAGS = ("rock", "jazz", "vocal", "voice", "other", "bebop", "swing")

# The commands that are not run here, each with the reason.
NOT_RUN = {
    "make demo": "tests/end_to_end/test_demo.py runs it, smaller",
    "make venv && source .venv/bin/activate": "this test runs in the environment that it makes",
    "make tag": "tests/end_to_end/test_make_tag.py runs it",
    "published": "tests/training/published runs them; the weights have to be downloaded",
    "gs://my-music/": "tests/buckets/test_documented.py runs them against an emulator of a bucket",
    "docs/examples/serve.py": "tests/training/serving/test_serve_example.py runs it; it ends only when it is stopped",
    "training/run.py listen": "tests/training/listen runs it; it ends only when it is stopped",
    "--runner=DataflowRunner": "needs a Google Cloud project; without `--` the same command is run",
    "--engine dataflow": "the same; tests/pipeline/jobs/test_engines.py reads the file",
}

# Added to a documented training command to make it short enough for a test: later options win.
SHORTER = "--epochs 1 --patch-seconds 1.5 --num-filt 1 --backend-filters 32 --batch-size 16".split()


def documented_commands(path: Path) -> list[str]:
    """The indented lines of a document that are commands, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    lines = (line.strip() for line in text.splitlines() if line.startswith("    "))
    return [line.split("  #")[0].strip() for line in lines if line.startswith(("python ", "make ", "saved_model_cli "))]


def documents() -> list[Path]:
    return [
        ROOT / "README.md",
        *(
            ROOT / "docs" / f"{name}.md"
            for name in (
                "layout",
                "labels",
                "beam",
                "flink",
                "spark",
                "dask",
                "dataflow",
                "training",
                "export",
                "training_cluster",
                "training_speed",
                "study",
                "audio",
                "catalog",
                "planning",
                "capacity",
                "buckets",
                "importing",
                "records",
                "tagging",
                "search",
                "shipping",
                "published_weights",
                "listen",
                "serving",
                "tables",
                "commands",
                "library",
                "design",
            )
        ),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README describes it: catalog.csv, annotations.csv, tags.yaml, song.mp3, and the checkout's code.

    The folder also has song.npy for docs/layout.md, and small files in the published formats for docs/importing.md.
    """
    folder = tmp_path_factory.mktemp("home")
    for package in ("schemas", "pipeline", "training"):
        (folder / package).symlink_to(ROOT / package)
    (folder / "music").mkdir()
    rng = np.random.default_rng(0)
    rows, labels = [], []
    for number in range(TRACKS):
        sound = rng.normal(scale=0.1, size=44_100 * 2).astype(np.float32)
        name = f"music/{number} ö.{('mp3', 'flac', 'ogg', 'wav')[number % 4]}"
        soundfile.write(folder / name, sound, 44_100)
        rows.append((number, name, f"artist {number}"))
        labels += [(number, tag) for bit, tag in enumerate(TAGS) if (number >> bit) & 1 or number % len(TAGS) == bit]
    write_tables(folder, rows, labels)
    write_publications(folder)
    (folder / "gone.txt").write_text("3\n17\n")
    soundfile.write(folder / "song.mp3", rng.normal(scale=0.1, size=44_100).astype(np.float32), 44_100)
    np.save(folder / "song.npy", rng.normal(scale=0.1, size=(1, 32_000)).astype(np.float32))
    return folder


def _example(document: Path, first_word: str) -> str:
    """The indented block of a document that begins with a word, as the text of a file."""
    lines = document.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"    {first_word}"))
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith("    "))
    return "".join(f"{line[4:]}\n" for line in lines[start:end])


def _run(command: str, home: Path) -> None:
    log = home / "data" / "labels" / "mine" / "log.jsonl"
    if "@HASH" in command:
        command = command.replace("HASH", json.loads(log.read_text().splitlines()[0])["version"])
    if "scores-50" in command:  # it has the number of tags in its name, which is smaller here
        (laid,) = (home / "data" / "labels").glob("scores-*")
        command = command.replace("scores-50", laid.name)
    words = shlex.split(command)
    if "train" in words or "study" in words:
        words += SHORTER
    if "study" in words:
        words += ["--shares", "1"]
    environment = {**os.environ, "PYTHONPATH": str(home)}
    if words[0] == "python":
        ended = run_warm(words[1:], cwd=home, env=environment, check=True)
    else:
        words[0] = str(Path(sys.executable).with_name(words[0]))
        ended = run_program(words, cwd=home, environment=environment, timeout=300)
    assert "Traceback" not in ended.stderr


def test_each_document_shows_commands() -> None:
    assert len(documented_commands(ROOT / "README.md")) >= 9
    assert {path.name for path in documents()} == {"README.md", *(path.name for path in (ROOT / "docs").glob("*.md"))}


@pytest.mark.slow
def test_every_documented_command_works_in_order(home: Path) -> None:
    (home / "tags.yaml").write_text(_example(ROOT / "README.md", "name: mine"))
    ran = 0
    for document in documents():
        if document.name == "labels.md":
            (home / "tags.yaml").write_text(_example(document, "name: mine"))
        for command in documented_commands(document):
            if not any(part in command for part in NOT_RUN):
                _run(command, home)
                ran += 1
    assert ran >= 13


@pytest.mark.slow
def test_the_reader_of_exported_records_works_as_it_is_shown(home: Path) -> None:
    text = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    words = ["--catalog", "catalog.csv", "--dataset", "other data", "--limit", "12", "--workers", "1"]
    _run(f"python -m pipeline.run build {shlex.join(words)}", home)
    (home / "other.yaml").write_text("name: other\n")
    _run(
        "python -m pipeline.run label --dataset 'other data' --annotations annotations.csv --label-set other.yaml", home
    )
    folder = home / "elsewhere"
    _run("python -m pipeline.run export-records --dataset 'other data' --label-set other --out elsewhere/records", home)
    program += "shapes = [tuple(part.shape for part in parts) for parts in train]\nprint(len(shapes), set(shapes))\n"
    ended = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-1500:]
    description = json.loads((folder / "records" / "records.json").read_text())
    tags = description["fields"]["labels"]["shape"][0]
    count, _, shapes = ended.stdout.partition(" ")
    assert int(count) == description["records"]["train"] > 0
    assert re.fullmatch(
        rf"{{\(TensorShape\(\[\d+, 96\]\), TensorShape\(\[{tags}\]\), TensorShape\(\[{tags}\]\)\)}}", shapes.strip()
    )
