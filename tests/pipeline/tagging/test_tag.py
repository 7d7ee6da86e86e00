"""A catalog and a dataset are scored, shard by shard, with the guarantees of a build."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

import pipeline.tagging.shards
from pipeline.removal.remove import remove
from pipeline.tagging.inference import Inference
from pipeline.tagging.model_files import read_model
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from pipeline.tagging.verify_tags import verify_tags
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.examples import decode_example
from schemas.features import LogMelSpec, WaveformSpec
from schemas.tags import Tags
from schemas.tfrecord import read_records
from tests.conftest import SmallCorpus, small_catalog
from tests.pipeline.tagging.conftest import ONE, TAGS, write_model

ROOT = Path(__file__).parents[3]

Contents = Callable[..., dict[str, str]]


def rows_of(out: Path) -> dict[str, dict[str, object]]:
    """Track -> its row of scores."""
    files = sorted(out.glob("scores/gen-*/*.parquet"))
    return {row["track_id"]: row for file in files for row in pq.read_table(file).to_pylist()}


def test_a_catalog_and_its_dataset_get_the_same_scores(
    tagged: Path, dataset: Path, model: Path, tmp_path: Path
) -> None:
    summary = tag(str(model), str(tmp_path / "tags"), dataset=str(dataset))
    assert (summary.built, summary.records, summary.rejects) == ((0,), 24, {})
    from_audio, stored = rows_of(tagged), rows_of(tmp_path / "tags")
    assert stored.keys() == from_audio.keys()
    for track, row in stored.items():
        assert row == from_audio[track]
    assert verify_tags(str(tagged)).problems == verify_tags(str(tmp_path / "tags")).problems == ()
    assert len({tuple(row["scores"]) for row in stored.values()}) > 8  # some tracks sound the same
    assert Tags.open(str(tagged)).manifest.model.embedding == 8
    assert np.ptp([row["embedding"] for row in stored.values()], axis=0).max() > 0


def test_the_scores_are_those_of_the_saved_model(tagged: Path, built_dataset: Path, model: Path) -> None:
    """TensorFlow's own loader, given the stored features of whole tracks, is the reference."""
    import tensorflow as tf

    from training.data.records import as_float

    dataset = Dataset.open(str(built_dataset))
    loaded = tf.saved_model.load(str(model))
    rows = rows_of(tagged)
    compared = 0
    for shard in range(dataset.manifest.generations[0].shards):
        uri, _ = dataset.payload(dataset.spec("logmel"), 0, shard)
        with open(uri, "rb") as file:
            for _, record in read_records(file, where=uri):
                track, logmel = decode_example("logmel", record, where=uri)
                scores = loaded.signatures["logmel"](logmel=tf.constant(as_float(logmel))[None])["scores"].numpy()[0]
                np.testing.assert_allclose(np.array(rows[track]["scores"], np.float32), scores, atol=1e-3)
                compared += 1
    assert compared == 24


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in numpy that is ready at once, and fails on marked patches."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    stand_in = functools.partial(Inference, module="plain_model", stall_seconds=5.0)
    monkeypatch.setattr(pipeline.tagging.shards, "Inference", stand_in)


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(
    tagged: Path, small_corpus: SmallCorpus, model: Path, tmp_path: Path, contents: Contents
) -> None:
    tag(str(model), str(tmp_path / "tags"), catalog=small_corpus.catalog, options=TagOptions(2, 4, excerpt="center:30"))
    assert contents(tmp_path / "tags") == contents(tagged)


def test_a_waveform_model_reads_waveforms(
    quick: None, small_corpus: SmallCorpus, dataset: Path, waveform_model: Path, tmp_path: Path
) -> None:
    tag(str(waveform_model), str(tmp_path / "audio"), catalog=small_corpus.catalog, options=ONE)
    tag(str(waveform_model), str(tmp_path / "stored"), dataset=str(dataset), options=TagOptions(workers=1))
    assert rows_of(tmp_path / "audio") == rows_of(tmp_path / "stored")
    assert verify_tags(str(tmp_path / "audio")).problems == ()


def test_a_grown_catalog_adds_a_generation_and_a_corrected_reject_is_tried_again(
    quick: None, model: Path, tmp_path: Path, contents: Contents
) -> None:
    out, options = str(tmp_path / "tags"), TagOptions(workers=1, shards=2, max_reject_rate=0.5)
    catalog = small_catalog(tmp_path, 8, missing=1, broken=1)
    first = tag(str(model), out, catalog=catalog, options=options)
    assert (first.built, first.records, first.rejects) == ((0,), 6, {"not_found": 1, "unsupported_format": 1})
    before = contents(tmp_path / "tags", below="scores")
    assert tag(str(model), out, catalog=catalog, options=options).built == ()
    shutil.copy(tmp_path / "00.wav", tmp_path / "07.wav")
    with open(catalog, "a") as file:
        file.write("08,00.wav\n")
    again = tag(
        str(model), out, catalog=catalog, options=TagOptions(1, 2, retry_rejects="transient", max_reject_rate=0.5)
    )
    assert (again.built, again.tracks, again.records) == ((1,), 9, 8)
    assert before.items() <= contents(tmp_path / "tags", below="scores").items()
    assert verify_tags(out).problems == ()
    assert Tags.open(out).newest_tracks(["cause"])["cause"].to_pylist().count("unsupported_format") == 1


def test_a_model_that_fails_on_a_dataset_is_stopped_at_the_reject_rate(
    quick: None, dataset: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGSCALE_TEST_NAN", "1")
    out, options = str(tmp_path / "tags"), TagOptions(workers=1)
    words = "the model failed on 24 of 24 stored tracks, more than --max-reject-rate 0.05 allows .24 not_finite"
    for _ in range(2):
        with pytest.raises(UserError, match=words):
            tag(str(model), out, dataset=str(dataset), options=options)
    with pytest.raises(UserError, match="the tagging is unfinished"):
        Tags.open(out)
    accepted = tag(str(model), out, dataset=str(dataset), options=TagOptions(workers=1, max_reject_rate=1.0))
    assert (accepted.records, accepted.rejects) == (0, {"not_finite": 24})


def test_a_shard_that_is_done_is_not_scored_again(
    quick: None, model: Path, tmp_path: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, options = small_catalog(tmp_path, 12), TagOptions(workers=1, shards=4)
    tag(str(model), str(tmp_path / "whole"), catalog=catalog, options=options)
    write = pipeline.tagging.shards.TagShardWriter.write
    written: list[int] = []

    def failing(self: object, shard: int) -> object:
        if len(written) == 2:
            raise OSError("the disk is gone")
        written.append(shard)
        return write(self, shard)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline.tagging.shards.TagShardWriter, "write", failing)
    with pytest.raises(Exception, match="the disk is gone"):
        tag(str(model), str(tmp_path / "tags"), catalog=catalog, options=options)
    monkeypatch.setattr(pipeline.tagging.shards.TagShardWriter, "write", write)
    marks = {path: path.stat().st_mtime_ns for path in tmp_path.glob("tags/scores/gen-000/*.json")}
    assert len(marks) == 2
    tag(str(model), str(tmp_path / "tags"), catalog=catalog, options=options)
    assert contents(tmp_path / "tags") == contents(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in marks} == marks


def test_tracks_that_were_taken_out_of_a_dataset_get_no_scores(
    quick: None, dataset: Path, model: Path, small_corpus: SmallCorpus, tmp_path: Path
) -> None:
    gone = small_corpus.rows[3][0]
    (tmp_path / "gone.txt").write_text(f"{gone}\n")
    remove(str(dataset), str(tmp_path / "gone.txt"))
    summary = tag(str(model), str(tmp_path / "tags"), dataset=str(dataset), options=TagOptions(workers=1))
    assert (summary.records, summary.rejects) == (23, {"removed": 1})
    assert gone not in rows_of(tmp_path / "tags")


def test_too_many_rejects_are_refused_and_accepted_on_request(quick: None, model: Path, tmp_path: Path) -> None:
    catalog, out = small_catalog(tmp_path, 8, missing=4), str(tmp_path / "tags")
    with pytest.raises(
        UserError, match=r"4 of 8 tracks were rejected, more than --max-reject-rate 0.05 allows \(4 not_found"
    ):
        tag(str(model), out, catalog=catalog, options=TagOptions(workers=1))
    with pytest.raises(UserError, match=r"the tagging is unfinished; run the same `.* tag` command again"):
        Tags.open(out)
    assert tag(str(model), out, catalog=catalog, options=TagOptions(workers=1, max_reject_rate=1.0)).records == 4


def test_the_scores_of_another_model_or_input_go_beside(
    quick: None, model: Path, waveform_model: Path, built_dataset: Path, tmp_path: Path, contents: Contents
) -> None:
    out, catalog = str(tmp_path / "tags"), small_catalog(tmp_path, 4)
    tag(str(model), out, catalog=catalog, options=TagOptions(workers=1))
    before = contents(tmp_path / "tags")
    other = write_model(tmp_path / "other", LogMelSpec(WaveformSpec("center:30")), head=5)
    for given, inputs, words in (
        (other, {"catalog": catalog}, "holds the scores of another model"),
        (
            model,
            {"dataset": str(built_dataset)},
            "holds the scores of a catalog, received a dataset; name another --out",
        ),
        (
            model,
            {"catalog": catalog, "options": TagOptions(excerpt="start:1")},
            "holds the scores of logmel-.* of full",
        ),
        (model, {"catalog": catalog, "options": TagOptions(embeddings=False)}, "was begun with embeddings"),
    ):
        with pytest.raises(UserError, match=words):
            tag(str(given), out, **inputs)  # type: ignore[arg-type]
    assert contents(tmp_path / "tags") == before


def test_the_manifest_holds_the_thresholds_of_the_model(quick: None, model: Path, tmp_path: Path) -> None:
    chosen = Path(shutil.copytree(model, tmp_path / "model"))
    thresholds = dict(zip(TAGS, (0.25, None, 0.5, 0.75), strict=True))
    file = chosen / "assets" / "thresholds.json"
    file.write_text(json.dumps({"thresholds": thresholds}))
    tag(str(chosen), str(tmp_path / "tags"), catalog=small_catalog(tmp_path, 2), options=TagOptions(workers=1))
    assert Tags.open(str(tmp_path / "tags")).manifest.model.thresholds == tuple(thresholds.values())
    assert json.loads((tmp_path / "tags" / "tags.json").read_text())["model"]["thresholds"] == list(thresholds.values())
    for wrong in ({**thresholds, "more": 0.5}, {**thresholds, "low": "high"}):
        file.write_text(json.dumps({"thresholds": wrong}))
        with pytest.raises(UserError, match="its assets cannot be read: thresholds: expected"):
            read_model(str(chosen))


def test_inputs_that_do_not_fit_are_refused_before_a_folder_is_made(
    model: Path, built_dataset: Path, tmp_path: Path
) -> None:
    coarse = write_model(tmp_path / "coarse", LogMelSpec(WaveformSpec("full"), hop_length=512))
    someone = shutil.copytree(model, tmp_path / "someone else's")
    shutil.rmtree(someone / "assets")
    catalog = small_catalog(tmp_path, 2)
    for given, inputs, words in (
        (model, {}, "expected either --catalog"),
        (model, {"catalog": catalog, "dataset": str(built_dataset)}, "expected either --catalog"),
        (tmp_path, {"catalog": catalog}, "expected a SavedModel, found no saved_model.pb"),
        (someone, {"catalog": catalog}, "found one without assets/feature_spec.json; export it again"),
        (
            coarse,
            {"dataset": str(built_dataset)},
            "the model reads logmel-.*tag the dataset on whose features it was trained",
        ),
        (
            model,
            {"dataset": str(built_dataset), "options": TagOptions(shards=3)},
            "--shards: expected only with --catalog",
        ),
        (model, {"dataset": str(tmp_path)}, "expected a dataset, found no dataset.json"),
    ):
        with pytest.raises(UserError, match=words):
            tag(str(given), str(tmp_path / "tags"), **inputs)  # type: ignore[arg-type]
    assert not (tmp_path / "tags").exists()


def test_the_manifest_fits_its_schema(tagged: Path) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / "tags.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(json.loads((tagged / "tags.json").read_text()))) == []


def test_the_manifest_names_model_features_and_tags(tagged: Path, small_corpus: SmallCorpus, model: Path) -> None:
    written = json.loads((tagged / "tags.json").read_text())
    assert written["model"]["tags"] == list(TAGS)
    assert written["model"]["labels"] == "small@0123456789abcdef"
    assert written["source"] == {"kind": "catalog", "uri": small_corpus.catalog, "embeddings": None}
    assert written["spec"]["waveform"]["excerpt"] == "center:30"
    facts = json.loads((model / "assets" / "model.json").read_text())
    assert written["model"]["trunk_sha256"] == facts["trunk_sha256"]


def test_only_another_trunk_has_another_hash(model: Path, tmp_path: Path) -> None:
    spec = LogMelSpec(WaveformSpec("center:30"))

    def trunk(path: Path) -> str:
        return str(json.loads((path / "assets" / "model.json").read_text())["trunk_sha256"])

    assert trunk(write_model(tmp_path / "head", spec, head=9)) == trunk(model)
    assert trunk(write_model(tmp_path / "seed", spec, seed=1)) != trunk(model)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("scores", "its bytes are not those of its done mark"),
        ("no scores", "the scores are missing though their done mark is there"),
        ("mark", "expected a shard's done mark|not a valid|was changed|its done mark"),
        ("tracks", "not the table that .*tags.json names"),
        ("plan", "expected a plan"),
    ],
)
def test_verify_names_each_damaged_file(tagged: Path, tmp_path: Path, damage: str, words: str) -> None:
    out = Path(shutil.copytree(tagged, tmp_path / "tags"))
    scores = next(out.glob("scores/gen-000/*.parquet"))
    files = {"mark": next(out.glob("scores/gen-000/*.json")), "tracks": out / "tracks" / "gen-000.parquet"}
    path = {**files, "plan": out / "plan" / "gen-000.parquet"}.get(damage, scores)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[: len(data) // 2] if damage == "plan" else data)
    if damage == "no scores":
        path.unlink()
    (first, *_) = verify_tags(str(out)).problems
    assert path.name in first
    assert re.search(words, first), first


def test_the_command_shows_counts_and_verifies(
    tagged: Path, model: Path, small_corpus: SmallCorpus, run_pipeline: Callable[..., object]
) -> None:
    words = ("--catalog", small_corpus.catalog, "--excerpt", "center:30", "--workers", "1", "--shards", "4")
    ended = run_pipeline("tag", "--model", model, *words, "--out", tagged)
    assert (ended.returncode, ended.stderr) == (0, "")  # type: ignore[attr-defined]
    assert "up to date, nothing to score" in ended.stdout  # type: ignore[attr-defined]
    assert f"verify --tags {tagged}" in ended.stdout  # type: ignore[attr-defined]
    verified = run_pipeline("verify", "--tags", tagged)
    assert verified.returncode == 0  # type: ignore[attr-defined]
    assert "24 tracks = 24 scored + 0 rejects; 4 files" in verified.stdout  # type: ignore[attr-defined]
    assert run_pipeline("verify").returncode == 2  # type: ignore[attr-defined]
