"""Pruning shows what is no longer needed and removes exactly that, but never what a run was trained on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest

from pipeline.labels.overlay import lay_labels
from pipeline.removal.prune import prune
from pipeline.removal.remove import remove
from pipeline.verify import verify
from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
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


@pytest.mark.parametrize("mark", ["lost", "of another shard", "of another family"])
@pytest.mark.parametrize("family", ["logmel", "waveform"])
def test_a_payload_whose_done_mark_is_lost_or_anothers_is_no_orphan(
    family: str, mark: str, dataset: Path, contents: Contents, tmp_path: Path
) -> None:
    of_family = {name: next((dataset / "features").glob(f"{name}-*/gen-000")) for name in ("logmel", "waveform")}
    other = next(folder for name, folder in of_family.items() if name != family)
    lost = of_family[family] / "part-00000.json"
    if mark == "lost":
        lost.unlink()
    elif mark == "of another shard":
        shutil.copy(of_family[family] / "part-00001.json", lost)
    else:
        shutil.copy(other / "part-00000.json", lost)
    before = contents(dataset)
    for delete in (False, True):
        with pytest.raises(DatasetError, match=re.escape(str(lost))):
            prune(str(dataset), ["orphans"], delete=delete)
    assert contents(dataset) == before
    assert any(str(lost) in problem for problem in verify(str(dataset)).problems)
    # The purge is refused even if the shard holds none of the purged tracks.
    tracks = Dataset.open(str(dataset)).tracks_of(0)
    elsewhere = tracks.filter(pc.and_(pc.not_equal(tracks["shard"], 0), pc.is_valid(tracks["record"])))["track_id"][0]
    (tmp_path / "gone.txt").write_text(elsewhere.as_py(), encoding="utf-8")
    with pytest.raises(DatasetError, match=re.escape(str(lost))):
        remove(str(dataset), str(tmp_path / "gone.txt"), purge=True)
    assert {path.name for path in of_family[family].glob("part-00000-*")} == {
        name.rpartition("/")[2] for name in before if f"{family}-" in name and "/part-00000-" in name
    }


def test_a_label_set_that_was_cut_short_before_its_log_is_an_orphan(dataset: Path, small_corpus: SmallCorpus) -> None:
    folder = dataset / "labels" / "small" / lay(dataset, small_corpus, "low")
    (dataset / "labels" / "small" / "log.jsonl").unlink()
    assert prune(str(dataset), delete=True).paths == ()
    (folder / "labels.json").unlink()
    assert [path.uri for path in prune(str(dataset), delete=True).paths] == [str(folder)]


def test_old_label_versions_go_but_those_of_known_runs(dataset: Path, small_corpus: SmallCorpus) -> None:
    first, second, third = (lay(dataset, small_corpus, tags) for tags in ("low", "noise", "low, noise"))
    assert lay(dataset, small_corpus, "low") == first  # it is the newest again
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
