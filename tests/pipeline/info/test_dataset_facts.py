from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.info.dataset_facts import DatasetFacts
from pipeline.info.overview import info
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split, split_version
from pipeline.removal.prune import prune
from pipeline.removal.remove import remove
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.json_log import log_bytes, read_log
from schemas.storage.checksums import with_checksum
from schemas.storage.stored_tables import table_bytes
from tests.conftest import small_catalog


def _facts(dataset: Path) -> DatasetFacts:
    return info(str(dataset)).dataset


def test_tracks_hours_and_groups_are_those_of_the_tracks_table(dataset: Path, small_corpus) -> None:
    facts = _facts(dataset)
    rows = pq.read_table(dataset / "tracks" / "gen-000.parquet").to_pylist()
    assert (facts.tracks, facts.records, facts.rejects, facts.removed) == (len(rows), len(rows), {}, 0)
    assert facts.hours == pytest.approx(sum(row["seconds"] for row in rows) / 3600)
    assert facts.groups == len({row[2] for row in small_corpus.rows})
    flags = [flag for row in rows for flag in row["flags"]]
    assert facts.flags == {flag: flags.count(flag) for flag in sorted(set(flags))}
    assert (facts.splits, facts.label_sets) == ((), ())


def test_rejects_flags_generations_and_the_same_audio_under_two_ids_are_counted(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 8, missing=1, broken=2)
    shutil.copy(tmp_path / "00.wav", tmp_path / "04.wav")
    import soundfile

    soundfile.write(tmp_path / "03.wav", np.zeros(16_000), 16_000)
    root = tmp_path / "data"
    options = BuildOptions(workers=1, shards=1, max_reject_rate=1.0)
    build(catalog, str(root), options)
    with open(catalog, "a") as file:
        file.write("08,01.wav\n")
    build(catalog, str(root), options)
    facts = _facts(root)
    assert (facts.tracks, facts.records) == (9, 6)
    assert sum(facts.rejects.values()) == 3
    assert facts.rejects["not_found"] == 1
    assert facts.flags["silent"] == 1
    assert facts.same_audio == (2, 4, (("00", "04"), ("01", "08")))
    assert [(one.tracks, one.records) for one in facts.generations] == [(8, 5), (1, 1)]


def test_payload_bytes_are_those_on_the_disk_of_derived_features_and_after_a_purge_too(
    dataset: Path, small_corpus
) -> None:
    derive(str(dataset), DeriveOptions(mels=32, workers=1))
    first = Dataset.open(str(dataset)).tracks_of(0, ["track_id"])["track_id"][3].as_py()
    (dataset.parent / "gone.txt").write_text(f"{first}\n", encoding="utf-8")
    remove(str(dataset), str(dataset.parent / "gone.txt"), purge=True)
    grown = (*small_corpus.rows, ("new", small_corpus.rows[0][1], "new artist"))
    build(small_corpus.catalog_of(dataset.parent / "grown", grown), str(dataset), BuildOptions(workers=1))
    facts = _facts(dataset)
    assert (facts.removed, facts.records) == (1, len(grown) - 1)
    on_disk = {
        folder.name: sum(path.stat().st_size for path in folder.rglob("*.tfrecord"))
        for folder in (dataset / "features").iterdir()
    }
    assert {one.name: one.bytes for one in facts.features} == on_disk
    assert [one.generations for one in facts.features] == [2, 2, 1]
    assert [one.derived for one in facts.features] == [False, False, True]
    assert facts.features[2].words.startswith(
        "32 mel bands, window of 512 samples (32 ms), hop of 256 (16 ms), of 16,000 Hz"
    )


def test_splits_have_counts_and_say_what_they_leave_out(dataset: Path) -> None:
    split = make_split(Dataset.open(str(dataset)), "wide", SplitMethod((60.0, 20.0, 20.0), "salt"))
    (found,) = _facts(dataset).splits
    assert (found.name, found.versions, found.without_side) == ("wide", (split.version,), 0)
    assert found.counts == {side: count for side, count in split.counts.items() if side != "none"}
    assert found.made == "by hash, ratios 60,20,20, salt salt"
    fewer = split.table.slice(2)
    folder, version = dataset / "splits" / "wide", split_version(fewer)
    (folder / f"{version}.parquet").write_bytes(table_bytes(fewer))
    entries = read_log(str(folder / "log.jsonl"), "")
    (folder / "log.jsonl").write_bytes(log_bytes([*entries, {**entries[0], "version": version}]))
    assert _facts(dataset).splits[0].without_side == 2


def test_versions_are_in_order_also_back_to_an_old_one_and_pruned_ones_are_reported(dataset: Path, lay) -> None:
    a, b = "name: mine\ntags: [low, noise]\n", "name: mine\ntags: [tremolo]\n"
    versions = [lay(text).version for text in (a, b, a)]
    (found,) = _facts(dataset).label_sets
    assert [each.version for each in found.versions] == versions
    assert [each.tags for each in found.versions] == [2, 1, 2]
    prune(str(dataset), ["label-versions"], delete=True)
    kept = {each.version: each.kept for each in _facts(dataset).label_sets[0].versions}
    assert kept[versions[0]]
    assert not kept.get(versions[1], False)


def test_an_unfinished_build_is_an_error_that_says_what_to_do(dataset: Path) -> None:
    manifest = json.loads((dataset / "dataset.json").read_text())
    manifest["generations"][0].update(records=None, rejects=None, tracks_sha256=None)
    (dataset / "dataset.json").write_text(json.dumps(with_checksum(manifest)))
    with pytest.raises(UserError, match="its build is unfinished; run the same `.*pipeline.run build` command again"):
        info(str(dataset))
