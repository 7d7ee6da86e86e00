"""Each of several commands at once waits for its turn before it reads the files that it changes, so no change is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import pipeline.labels.overlay
import pipeline.labels.splits
import pipeline.removal.remove
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from pipeline.removal.prune import prune
from pipeline.removal.remove import remove
from pipeline.verify import verify
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from tests.conftest import SmallCorpus

AT_ONCE = 8
WINDOW_SECONDS = 0.1


def slow(patched: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Slow a function down after it has read, as a slow disk would, so that all other callers can read meanwhile."""
    function = getattr(module, name)

    def slowed(*arguments: object, **named: object) -> object:
        result = function(*arguments, **named)
        time.sleep(WINDOW_SECONDS)
        return result

    patched.setattr(module, name, slowed)


def at_once(action: Callable[[int], object]) -> None:
    """Call an action with 0, 1, … in parallel; all calls begin at the same moment."""
    begin = threading.Barrier(AT_ONCE)

    def each(number: int) -> object:
        begin.wait()
        return action(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(each, range(AT_ONCE)))


def versions(log: Path) -> list[str]:
    return [json.loads(line)["version"] for line in log.read_text().splitlines()]


def label_set(folder: Path, number: int) -> str:
    tags = [tag for bit, tag in enumerate(("low", "noise", "tremolo")) if ((number % 7 + 1) >> bit) & 1]
    path = folder / f"{number}.yaml"
    path.write_text(f"name: small\ntags: [{', '.join(tags)}]\npositive_at: {0.1 + number / 100}\n")
    return str(path)


def test_eight_labels_at_once_are_eight_versions(
    dataset: Path, small_corpus: SmallCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, pipeline.labels.overlay, "_version_before")
    sets = [label_set(tmp_path, number) for number in range(AT_ONCE)]
    laid: dict[int, str] = {}

    def lay(number: int) -> None:
        laid[number] = lay_labels(str(dataset), [small_corpus.annotations], sets[number]).version

    at_once(lay)
    log = dataset / "labels" / "small" / "log.jsonl"
    assert sorted(versions(log)) == sorted(laid.values())
    assert len(set(laid.values())) == AT_ONCE
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line.get("since", "").rpartition("@")[2] for line in lines[1:]] == versions(log)[:-1]
    assert verify(str(dataset)).problems == ()


def test_one_of_the_splits_made_at_once_under_one_name_is_made_and_the_others_are_refused(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, pipeline.labels.splits, "split_log")
    opened = Dataset.open(str(dataset))
    made: list[tuple[str, str]] = []
    refused: list[str] = []

    def split(number: int) -> None:
        try:
            made.append((make_split(opened, "mine", SplitMethod(salt=str(number))).version, str(number)))
        except UserError as error:
            refused.append(str(error))

    at_once(split)
    lines = [json.loads(line) for line in (dataset / "splits" / "mine" / "log.jsonl").read_text().splitlines()]
    assert [(line["version"], line["made"]["salt"]) for line in lines] == made
    assert len(refused) == AT_ONCE - 1
    assert all("tracks never change sides in it: choose another name" in words for words in refused)


def test_removals_at_once_are_all_heeded(
    dataset: Path, small_corpus: SmallCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, pipeline.removal.remove, "_known_tracks")
    for number in range(AT_ONCE):
        (tmp_path / f"{number}.txt").write_text(small_corpus.rows[number][0], encoding="utf-8")
    at_once(lambda number: remove(str(dataset), str(tmp_path / f"{number}.txt")))
    removed = pq.read_table(dataset / "removed.parquet")["track_id"].to_pylist()
    assert removed == sorted(row[0] for row in small_corpus.rows[:AT_ONCE])


def test_a_label_version_that_is_being_written_is_not_pruned(
    dataset: Path, small_corpus: SmallCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the critical window the vocabulary exists, but not the manifest that makes it a version."""
    write, pruned = pipeline.labels.overlay.write_atomic, []

    def written(uri: str, data: bytes) -> None:
        if uri.endswith("labels.json"):
            pruned.append(beside.submit(prune, str(dataset), delete=True))
            time.sleep(WINDOW_SECONDS)
        write(uri, data)

    beside = ThreadPoolExecutor(1)

    monkeypatch.setattr(pipeline.labels.overlay, "write_atomic", written)
    version = lay_labels(str(dataset), [small_corpus.annotations], label_set(tmp_path, 6)).version
    assert [pruning.result().paths for pruning in pruned] == [()]
    assert sorted(path.name for path in (dataset / "labels" / "small" / version).iterdir()) == [
        "labels.json",
        "labels.parquet",
        "vocabulary.txt",
    ]
    assert verify(str(dataset)).problems == ()


def test_a_plan_whose_generation_is_not_in_the_manifest_yet_is_not_pruned(
    tmp_path: Path, dataset: Path, small_corpus: SmallCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipeline.decode.planning
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions

    write_plan, pruned = pipeline.decode.planning._write_plan, []
    beside = ThreadPoolExecutor(1)

    def written(uri: str, data: bytes) -> None:
        write_plan(uri, data)
        pruned.append(beside.submit(prune, str(dataset), delete=True))
        time.sleep(WINDOW_SECONDS)

    monkeypatch.setattr(pipeline.decode.planning, "_write_plan", written)
    rows = (*small_corpus.rows, ("new", small_corpus.rows[0][1], "new"))
    summary = build(small_corpus.catalog_of(tmp_path / "grown", rows), str(dataset), BuildOptions(workers=1))
    assert ([pruning.result().paths for pruning in pruned], summary.built) == ([()], (1,))
    assert verify(str(dataset), deep=True).problems == ()
