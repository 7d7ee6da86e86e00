"""Manifests survive a round trip, and a wrong field is one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.console.errors import DatasetError, UserError
from schemas.dataset_manifest import DatasetManifest
from schemas.features import LogMelSpec, WaveformSpec, specs_for
from schemas.labels_manifest import LabelsManifest
from schemas.manifests import FORMAT, GenerationEntry, Manifest, ShardManifest, read_json
from schemas.storage.checksums import with_checksum

SHARD = ShardManifest("part-00000-aa.tfrecord", records=2, bytes=10, sha256="aa", tracks=3, tracks_sha256="bb")
GENERATIONS = (
    GenerationEntry(0, shards=2, tracks=5, records=4, rejects={"empty": 1}, tracks_sha256="cc"),
    GenerationEntry(1, shards=1, tracks=1),
)
DATASET = DatasetManifest(GENERATIONS, {"numpy": "2"}, specs_for(("logmel", "waveform"), "full"))
LABELS = LabelsManifest(
    name="small",
    version="abc",
    label_set={"name": "small", "tags": ["a"], "values": "binary", "positive_at": 0.5, "missing": "negative"},
    annotations_sha256=("dd",),
    split={"name": "default", "version": "ee"},
    generations=("cc",),
    counts={"tracks": 4, "tags": 1},
)


def rewritten(path: Path, manifest: Manifest, **changed: Any) -> str:
    """The file of the manifest with some fields changed, or removed if their value is `...`."""
    fields = {**manifest.to_dict(), **changed}
    path.write_text(json.dumps(with_checksum({name: value for name, value in fields.items() if value is not ...})))
    return str(path)


@pytest.mark.parametrize("manifest", [SHARD, DATASET, LABELS], ids=["shard", "dataset", "labels"])
def test_a_manifest_comes_back_from_its_file(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(manifest.to_bytes())
    assert type(manifest).from_dict(read_json(str(path), "it"), where="it") == manifest
    assert json.loads(path.read_text())["format"] == FORMAT
    assert type(manifest).from_dict(read_json(str(path), "it"), where="it").to_bytes() == manifest.to_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "a done mark is missing"),
        ("", "expected a done mark, a JSON object: "),
        ('{"format": 1, "rec', "expected a done mark, a JSON object: "),
        ("\udcff", "expected a done mark, a JSON object: "),
        ("[]", "a JSON object: it is list"),
        ("{}", "a JSON object: its format number is None"),
        ('{"format": "1"}', "a JSON object: its format number is .1."),
    ],
)
def test_what_is_no_manifest_is_named_with_its_file(content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "part-00000.json"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DatasetError, match=words) as error:
        read_json(str(path), "a done mark")
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_newer_format_is_refused_with_one_line_that_says_to_upgrade(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "dataset.json", DATASET, format=FORMAT + 1)
    with pytest.raises(UserError, match=rf"written in format {FORMAT + 1} by a newer tagscale.*upgrade") as error:
        DatasetManifest.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("manifest", "changed", "words"),
    [
        (SHARD, {"records": ...}, "records"),
        (SHARD, {"records": 4}, "records: expected 0 to 3, received 4"),
        (SHARD, {"records": "2"}, "records"),
        (SHARD, {"bytes": "10"}, "bytes"),
        (SHARD, {"sha256": None}, "sha256"),
        (SHARD, {"payload": "../part.tfrecord"}, "payload: expected a file name"),
        (SHARD, {"payload": ""}, "payload: expected a file name"),
        (SHARD, {"compression": "zstd"}, "compression"),
        (DATASET, {"families": ...}, "families"),
        (DATASET, {"families": []}, "families"),
        (DATASET, {"families": {}}, "families"),
        (DATASET, {"families": {"logmel": "it"}}, "families"),
        (DATASET, {"generations": 3}, "generations"),
        (DATASET, {"generations": [{"generation": 1, "shards": 1, "tracks": 1}]}, "numbers from 0 without gaps"),
        (DATASET, {"generations": [{"generation": 0, "shards": 0, "tracks": 1}]}, "at least one shard"),
        (DATASET, {"generations": [{"generation": 0, "shards": 1}]}, "tracks"),
        (
            DATASET,
            {"generations": [{"generation": 0, "shards": 1, "tracks": 3, "records": 1, "rejects": {"empty": 1}}]},
            "1 records and 1 rejects do not make 3 tracks",
        ),
        (DATASET, {"owner": "me"}, "owner"),
        (LABELS, {"counts": ...}, "counts"),
        (LABELS, {"generations": ...}, "generations"),
        (LABELS, {"split": ["default", "ee"]}, "split"),
        (LABELS, {"split": {"name": "default"}}, "split: expected version in it"),
        (LABELS, {"counts": {}}, "counts: expected tracks and tags in it"),
        (LABELS, {"label_set": {"values": "binary", "missing": "negative"}}, "label_set: expected positive_at in it"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(
    manifest: Manifest, changed: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = rewritten(tmp_path / "manifest.json", manifest, **changed)
    with pytest.raises(DatasetError, match=words) as error:
        type(manifest).from_dict(read_json(path, "it"), where=path)
    assert str(error.value).startswith(path)


def test_a_fingerprint_that_is_not_the_specs_is_refused(tmp_path: Path) -> None:
    families = DATASET.to_dict()["families"]
    families["logmel"]["fingerprint"] = "0" * 12
    with pytest.raises(DatasetError, match=f"expected the fingerprint {DATASET.families['logmel'].fingerprint}"):
        DatasetManifest.read(rewritten(tmp_path / "dataset.json", DATASET, families=families))


def test_a_spec_under_another_familys_name_is_refused() -> None:
    with pytest.raises(ValueError, match="logmel: expected the spec of this family"):
        DatasetManifest((), {}, {"logmel": WaveformSpec()})


def test_families_over_different_waveforms_are_no_dataset() -> None:
    with pytest.raises(ValueError, match="families: expected all over one waveform"):
        DatasetManifest((), {}, {"logmel": LogMelSpec(WaveformSpec("full")), "waveform": WaveformSpec("center:30")})


def test_a_generation_is_added_or_replaced_by_its_number() -> None:
    closed = GenerationEntry(1, shards=1, tracks=1, records=1, rejects={}, tracks_sha256="ff")
    grown = DATASET.with_generation(closed)
    assert grown.generations == (GENERATIONS[0], closed)
    assert grown.with_generation(GenerationEntry(2, shards=1, tracks=2)).generations[:2] == grown.generations
    assert DATASET.generations == GENERATIONS
    assert [entry.complete for entry in grown.generations] == [True, True]
    assert not GENERATIONS[1].complete
