"""A reader finds in self-contained records what the dataset stores and what the label version says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.export_records.export import ExportOptions, ExportSummary, export_records
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from pipeline.removal.remove import remove
from schemas.console.errors import DatasetError, TagscaleError, UserError
from schemas.dataset import Dataset
from schemas.examples import decode_example
from schemas.sole_writer import sole_writer
from schemas.storage.checksums import with_checksum
from schemas.storage.files import read_range
from schemas.tfrecord import unframe
from tests.conftest import TRACKS, RunPipeline, SmallCorpus

Contents = Callable[..., dict[str, str]]
ONE = ExportOptions(workers=1)


@pytest.fixture
def labelled(dataset: Path, small_corpus: SmallCorpus) -> Path:
    """The small dataset, split over all sides, with the label set `small`."""
    make_split(Dataset.open(str(dataset)), "default", SplitMethod((50, 25, 25), salt="b"))
    lay_labels(str(dataset), [small_corpus.annotations], small_corpus.label_set)
    return dataset


def _export(dataset: Path, out: Path, options: ExportOptions = ONE, label_set: str = "small") -> ExportSummary:
    return export_records(str(dataset), label_set, str(out), options)


def _read(out: Path) -> dict[str, dict[str, Any]]:
    """Every record as TensorFlow reads it with the help of the description alone."""
    import tensorflow as tf

    description = json.loads((out / "records.json").read_text())
    types = {"bytes": tf.string, "float32": tf.float32, "int64": tf.int64}
    parsed: dict[str, Any] = {}
    for name, field in description["fields"].items():
        shape = [] if "holds" in field else field["shape"]
        fixed = all(isinstance(size, int) for size in shape)
        parsed[name] = tf.io.FixedLenFeature(shape, types[field["list"]]) if fixed else tf.io.VarLenFeature(tf.string)
    records = {}
    for split in ("train", "validation", "test"):
        for file in sorted((out / split).glob("*.tfrecord")):
            for record in tf.data.TFRecordDataset(str(file)):
                found = tf.io.parse_single_example(record, parsed)
                assert found["split"].numpy().decode() == split
                row = {name: found[name] for name in parsed}
                row["tags"] = [tag.decode() for tag in row["tags"].values.numpy()]
                for name, field in description["fields"].items():
                    if "holds" in field:
                        shape = [size if isinstance(size, int) else int(row[size]) for size in field["shape"]]
                        row[name] = np.frombuffer(row[name].numpy(), field["holds"]).reshape(shape)
                records[row["track_id"].numpy().decode()] = row
    return records


def _stored(dataset: Path, name: str) -> dict[str, np.ndarray]:
    opened = Dataset.open(str(dataset))
    spec = opened.spec(name) if name in ("logmel", "waveform") else opened.features(name)  # type: ignore[arg-type]
    found = {}
    for row in opened.newest_tracks(spec=spec).to_pylist():
        uri, _ = opened.payload(spec, row["generation"], row["shard"])
        record = unframe(read_range(uri, row["offset"], row["length"]), where=uri)
        found[row["track_id"]] = decode_example(spec.family, record, where=uri)[1]
    return found


def _labels(dataset: Path, summary: ExportSummary) -> list[dict[str, Any]]:
    name, version = summary.label_set.split("@")
    return pq.read_table(dataset / "labels" / name / version / "labels.parquet").to_pylist()


def test_every_labelled_track_is_there_with_its_features_bit_for_bit_its_labels_and_its_split(
    labelled: Path, tmp_path: Path, contents: Contents
) -> None:
    before = contents(labelled)
    summary = _export(labelled, tmp_path / "out")
    assert contents(labelled) == before
    records = _read(tmp_path / "out")
    rows = _labels(labelled, summary)
    vocabulary = (tmp_path / "out" / "vocabulary.txt").read_text().splitlines()
    assert sorted(records) == sorted(row["track_id"] for row in rows)
    assert sum(summary.records.values()) == TRACKS
    assert min(summary.records.values()) > 0
    for name in ("logmel", "waveform"):
        stored = _stored(labelled, name)
        for track, record in records.items():
            assert record[name].dtype == stored[track].dtype
            np.testing.assert_array_equal(record[name], stored[track])
    for row in rows:
        record = records[row["track_id"]]
        assert record["split"].numpy().decode() == row["split"]
        assert record["tags"] == [vocabulary[tag] for tag in row["tags"]]
        assert np.flatnonzero(record["labels"]).tolist() == row["tags"]
        assert record["labels_known"].numpy().all()


def test_graded_and_unknown_labels_are_told_apart(dataset: Path, small_corpus: SmallCorpus, tmp_path: Path) -> None:
    tracks = [row[0] for row in small_corpus.rows]
    (tmp_path / "own.csv").write_text(
        f"track_id,tag,value\n{tracks[0]},a,0.75\n{tracks[0]},b,0.25\n{tracks[1]},a,\n{tracks[1]},b,0\n{tracks[2]},b,1\n",
        encoding="utf-8",
    )
    for missing in ("negative", "unknown"):
        text = f"name: {missing}\ntags: [a, b]\nvalues: graded\nmissing: {missing}\n"
        (tmp_path / "set.yaml").write_text(text)
        lay_labels(str(dataset), [str(tmp_path / "own.csv")], str(tmp_path / "set.yaml"))
        _export(dataset, tmp_path / missing, label_set=missing)
        records = _read(tmp_path / missing)
        found = [
            (
                records[track]["labels"].numpy().tolist(),
                records[track]["labels_known"].numpy().tolist(),
                records[track]["tags"],
            )
            for track in tracks[:4]
        ]
        rest = int(missing == "negative")
        assert found == [
            ([0.75, 0.25], [1, 1], ["a"]),
            ([0, 0], [0, 1], []),
            ([0, 1], [rest, 1], ["b"]),
            ([0, 0], [rest, rest], []),
        ]


def test_the_same_bytes_from_one_worker_and_from_two_and_after_a_stop(
    labelled: Path, tmp_path: Path, contents: Contents
) -> None:
    _export(labelled, tmp_path / "one")
    expected = contents(tmp_path / "one")
    assert not _export(labelled, tmp_path / "two", ExportOptions(workers=2)).existed
    assert contents(tmp_path / "two") == expected
    (tmp_path / "one" / "records.json").unlink()
    marks = sorted((tmp_path / "one" / "done").iterdir())
    marks[1].unlink()
    kept = marks[0].stat().st_mtime_ns
    assert not _export(labelled, tmp_path / "one").existed
    assert marks[0].stat().st_mtime_ns == kept
    assert contents(tmp_path / "one") == expected
    assert _export(labelled, tmp_path / "two").existed
    assert contents(tmp_path / "two") == expected


def test_a_folder_that_holds_another_export_or_other_things_is_left_alone(
    labelled: Path, small_corpus: SmallCorpus, tmp_path: Path, contents: Contents
) -> None:
    _export(labelled, tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "set.yaml").write_text("name: small\ntags: [noise]\n")
    lay_labels(str(labelled), [small_corpus.annotations], str(tmp_path / "set.yaml"))
    for options in (ONE, ExportOptions(features=("logmel",), workers=1)):
        with pytest.raises(UserError, match="holds an export of other labels, features or tracks"):
            _export(labelled, tmp_path / "out", options)
    with pytest.raises(UserError, match="expected an export or an empty folder"):
        _export(labelled, labelled)
    assert contents(tmp_path / "out") == before


def test_a_folder_that_cannot_be_written_in_or_is_being_written_is_refused(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written in: .*choose another folder"):
        _export(labelled, tmp_path / "file" / "below")
    (tmp_path / "out").mkdir()
    with sole_writer(str(tmp_path / "out")), pytest.raises(UserError, match="another command is changing this export"):
        _export(labelled, tmp_path / "out")


def test_removed_tracks_are_left_out_and_so_are_those_that_the_labels_do_not_hold(
    labelled: Path, small_corpus: SmallCorpus, tmp_path: Path
) -> None:
    gone = [row[0] for row in small_corpus.rows[:3]]
    (tmp_path / "gone.txt").write_text("".join(f"{track}\n" for track in gone), encoding="utf-8")
    remove(str(labelled), str(tmp_path / "gone.txt"), purge=True)
    summary = _export(labelled, tmp_path / "out")
    assert (summary.removed, summary.unlabelled) == (3, 0)
    assert sorted(_read(tmp_path / "out")) == sorted(row[0] for row in small_corpus.rows[3:])
    (tmp_path / "set.yaml").write_text("name: few\ntags: [noise]\nunlabelled: drop\n")
    lay_labels(str(labelled), [small_corpus.annotations], str(tmp_path / "set.yaml"))
    few = _export(labelled, tmp_path / "few", label_set="few")
    assert few.unlabelled == TRACKS - 3 - sum(few.records.values()) > 0


def test_a_dataset_of_two_generations_gives_each_track_its_newest_record(
    small_corpus: SmallCorpus, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    for limit in (12, None):
        build(small_corpus.catalog, str(root), BuildOptions(workers=1, shards=2, limit=limit))
    lay_labels(str(root), [small_corpus.annotations], small_corpus.label_set)
    _export(root, tmp_path / "out")
    stored, records = _stored(root, "waveform"), _read(tmp_path / "out")
    assert sorted(stored) == sorted(records)
    assert all(np.array_equal(records[track]["waveform"], stored[track]) for track in stored)


def test_derived_features_are_exported_by_name(labelled: Path, tmp_path: Path) -> None:
    name = derive(str(labelled), DeriveOptions(mels=40, workers=1)).name
    summary = _export(labelled, tmp_path / "out", ExportOptions(features=(name,), workers=1))
    assert summary.features == (name,)
    records, stored = _read(tmp_path / "out"), _stored(labelled, name)
    assert "waveform" not in next(iter(records.values()))
    for track, record in records.items():
        np.testing.assert_array_equal(record["logmel"], stored[track])
    with pytest.raises(UserError, match="--features: expected one of each family"):
        _export(labelled, tmp_path / "both", ExportOptions(features=("logmel", name)))


def test_a_flipped_byte_is_an_error_that_names_the_payload(labelled: Path, tmp_path: Path) -> None:
    payload = sorted((labelled / "features").rglob("*.tfrecord"))[0]
    data = bytearray(payload.read_bytes())
    data[len(data) // 2] ^= 1
    payload.write_bytes(data)
    with pytest.raises(TagscaleError, match=rf"{payload.name}: its bytes are not those of the done mark"):
        _export(labelled, tmp_path / "out")
    assert not (tmp_path / "out" / "records.json").exists()


def test_a_file_that_was_cut_is_named_with_what_to_do(labelled: Path, tmp_path: Path, contents: Contents) -> None:
    _export(labelled, tmp_path / "out")
    before = contents(tmp_path / "out")
    file = sorted((tmp_path / "out" / "train").iterdir())[0]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=rf"{file.name}: expected \d+ bytes.*remove .*/done/part-\d+.json too"):
        _export(labelled, tmp_path / "out")
    (tmp_path / "out" / "done" / f"{file.stem}.json").unlink()
    _export(labelled, tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_counts_that_do_not_reconcile_are_an_error(labelled: Path, tmp_path: Path) -> None:
    _export(labelled, tmp_path / "out")
    mark = next(
        mark for mark in sorted((tmp_path / "out" / "done").iterdir()) if "train" in json.loads(mark.read_text())
    )
    counts = json.loads(mark.read_text())
    counts["train"]["records"] += 1
    mark.write_text(json.dumps(with_checksum(counts)))
    with pytest.raises(DatasetError, match="its done marks name"):
        _export(labelled, tmp_path / "out")


def test_the_command_says_what_it_wrote_and_refuses_what_is_not_there(
    labelled: Path, tmp_path: Path, run_pipeline: RunPipeline
) -> None:
    command = ("export-records", "--dataset", labelled, "--out", tmp_path / "out", "--label-set")
    done = run_pipeline(*command, "small", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'out'}: written: " in done.stdout
    assert "complete already" in run_pipeline(*command, "small").stdout
    for words, options in (
        ("did you mean 'small'?", ("smal",)),
        ("holds logmel-", ("small", "--features", "logmel-0")),
    ):
        refused = run_pipeline(*command, *options)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert words in refused.stderr
