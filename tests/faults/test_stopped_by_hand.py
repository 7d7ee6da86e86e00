"""A command that is stopped by ^C says so in one line, leaves no process behind, and is finished by the same command."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.export_records.export import ExportOptions, export_records
from pipeline.labels.overlay import lay_labels
from schemas.console.errors import EXIT_INTERRUPTED
from schemas.console.stopping import STOPPED_WORDS
from tests.conftest import SmallCorpus
from tests.pseudo_terminal import INTERRUPT, PseudoTerminal, lines_of

ROOT = Path(__file__).parents[2]
PAUSING_CODE = Path(__file__).parent / "pausing"
SHARDS = 4
# The least number of changes of files' names that each command makes.
CHANGES = {"build": 24, "derive": 10, "label": 5, "export-records": 8}

Contents = Callable[..., dict[str, str]]
pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Folder:
    """A dataset of the small corpus, and everything that commands make from it."""

    root: Path
    corpus: SmallCorpus

    @property
    def data(self) -> str:
        return str(self.root / "data")

    def words(self, command: str) -> list[str]:
        """The arguments of a command."""
        catalog = ["--catalog", self.corpus.catalog, "--shards", str(SHARDS)]
        labels = ["--annotations", self.corpus.annotations, "--label-set", self.corpus.label_set]
        export = ["--label-set", "small", "--out", str(self.root / "records")]
        options = {"build": catalog, "derive": ["--n-mels", "32"], "label": labels, "export-records": export}
        return [command, "--dataset", self.data, *options[command]]

    def done(self, command: str) -> None:
        """Run a command in this process."""
        if command == "build":
            build(self.corpus.catalog, self.data, BuildOptions(workers=1, shards=SHARDS))
        elif command == "derive":
            derive(self.data, DeriveOptions(mels=32, workers=1))
        elif command == "label":
            lay_labels(self.data, [self.corpus.annotations], self.corpus.label_set)
        else:
            export_records(self.data, "small", str(self.root / "records"), ExportOptions(workers=1))

    def copy(self, root: Path) -> Folder:
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Folder(root, self.corpus)


@pytest.fixture(scope="module")
def before(
    small_corpus: SmallCorpus, built_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Folder]:
    """Command -> the folder as it is before the command runs; tests only read it."""
    root = tmp_path_factory.mktemp("before")
    folders = {name: Folder(root / name, small_corpus) for name in CHANGES}
    folders["build"].root.mkdir()
    for name in ("derive", "label", "export-records"):
        shutil.copytree(built_dataset, folders[name].data)
    folders["export-records"].done("label")
    return folders


@pytest.fixture(scope="module")
def undisturbed(
    before: dict[str, Folder], contents: Contents, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """Command -> contents of the folder after it."""
    found = {}
    for name, folder in before.items():
        copy = folder.copy(tmp_path_factory.mktemp("undisturbed"))
        copy.done(name)
        found[name] = contents_of(copy, contents)
    return found


def contents_of(folder: Folder, contents: Contents) -> dict[str, str]:
    whole = contents(folder.root)
    return {name: digest for name, digest in whole.items() if not name.startswith("data/runs/")}


def cases() -> Iterator[tuple[str, int, list[str]]]:
    """Each command at two seeded moments, with one worker and with two."""
    for command, changes in CHANGES.items():
        first, second = random.Random(command).sample(range(1, changes + 1), 2)
        yield command, first, [] if command == "label" else ["--workers", "1"]
        yield command, second, [] if command == "label" else ["--workers", "2"]


@pytest.mark.parametrize(("command", "moment", "workers"), cases())
def test_a_command_stopped_by_hand_says_so_and_is_finished_by_the_same_command(
    command: str,
    moment: int,
    workers: list[str],
    before: dict[str, Folder],
    undisturbed: dict[str, dict[str, str]],
    tmp_path: Path,
    contents: Contents,
) -> None:
    folder = before[command].copy(tmp_path / "folder")
    events = folder.root / "events"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(PAUSING_CODE), str(ROOT)))}
    environment |= {"TAGSCALE_TEST_EVENTS": str(events), "TAGSCALE_TEST_PAUSE": str(moment)}
    words = (sys.executable, "-m", "pipeline.run", *folder.words(command), *workers)
    with PseudoTerminal(words, environment, ROOT) as terminal:
        terminal.wait_until(lambda: events.exists() and events.stat().st_size >= moment)
        terminal.press(INTERRUPT)
        code = terminal.exit_code()
        terminal.wait_until_none_is_left()
    assert (code, lines_of(terminal.shown)) == (EXIT_INTERRUPTED, [STOPPED_WORDS])
    events.unlink()
    folder.done(command)
    assert contents_of(folder, contents) == undisturbed[command]
