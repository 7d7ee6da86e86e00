"""Pruning shows what nothing needs any more, removes exactly that, and never what a run was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.labels.overlay import lay_labels
from pipeline.removal.prune import prune
from pipeline.verify import verify
from schemas.checksums import with_checksum
from schemas.errors import UserError
from tests.conftest import SmallCorpus

Contents = Callable[..., dict[str, str]]


def lay(dataset: Path, small_corpus: SmallCorpus, tags: str) -> str:
    path = dataset.parent / "set.yaml"
    path.write_text(f"name: small\ntags: [{tags}]\n")
    return lay_labels(str(dataset), [small_corpus.annotations], str(path)).version


def test_a_clean_dataset_has_nothing_to_prune(dataset: Path, small_corpus: SmallCorpus, contents: Contents) -> None:
    lay(dataset, small_corpus, "low")
    before = contents(dataset)
    assert prune(str(dataset), delete=True).paths == ()
    assert contents(dataset) == before


def test_what_is_not_needed_is_shown_first_and_removed_on_request(
    dataset: Path, small_corpus: SmallCorpus, contents: Contents
) -> None:
    lay(dataset, small_corpus, "low")
    clean = contents(dataset)
    folder = next((dataset / "features").glob("logmel-*/gen-000"))
    strays = [
        folder / "part-00001-0123456789abcdef.tfrecord",
        folder / ".tmp-abc",
        dataset / "features" / "logmel-000000000000" / "gen-000" / "part-00000.json",
        dataset / "labels" / "small" / "0123456789ab" / "vocabulary.txt",
        dataset / "splits" / "default" / "0123456789ab.parquet",
        dataset / "plan" / "gen-007.parquet",
    ]
    for number, stray in enumerate(strays):
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"x" * (number + 1))
    shown = prune(str(dataset))
    assert {path.bytes for path in shown.paths} == {1, 2, 3, 4, 5, 6}
    assert all(stray.exists() for stray in strays)
    assert prune(str(dataset), ["fingerprints"]).paths == tuple(path for path in shown.paths if path.bytes == 3)
    assert prune(str(dataset), delete=True) == shown
    assert contents(dataset) == clean
    assert verify(str(dataset), deep=True).problems == ()


def test_old_label_versions_go_but_those_of_known_runs(dataset: Path, small_corpus: SmallCorpus) -> None:
    first, second, third = (lay(dataset, small_corpus, tags) for tags in ("low", "noise", "low, noise"))
    assert lay(dataset, small_corpus, "low") == first  # the newest again
    (dataset / "runs" / "train-0123456789ab.json").write_text(
        json.dumps({"run": "/runs/a", "label_set": f"small@{second}", "frontend": "waveform"})
    )
    log = (dataset / "labels" / "small" / "log.jsonl").read_bytes()
    assert prune(str(dataset), ["label-versions"], keep_versions=3).paths == ()
    found = prune(str(dataset), ["label-versions"], delete=True)
    assert [path.uri.rsplit("/", 1)[-1] for path in found.paths] == [third]
    assert found.kept_for_runs == ((f"small@{second}", "/runs/a"),)
    assert (dataset / "labels" / "small" / "log.jsonl").read_bytes() == log
    assert sorted(path.name for path in (dataset / "labels" / "small").iterdir()) == sorted(
        [first, second, "log.jsonl"]
    )


def test_an_unfinished_build_is_not_pruned(dataset: Path) -> None:
    manifest = json.loads((dataset / "dataset.json").read_text())
    manifest["generations"][0].update(records=None, rejects=None, tracks_sha256=None)
    (dataset / "dataset.json").write_text(json.dumps(with_checksum(manifest)))
    with pytest.raises(UserError, match="its build is unfinished"):
        prune(str(dataset))
