"""Where only the head of a model has changed, its scores come from the embeddings that other tags hold."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.importers.scores import import_scores
from pipeline.removal.tagged import take_out
from pipeline.search.similar import SimilarOptions, similar
from pipeline.tagging.model_files import read_model
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from pipeline.tagging.verify_tags import verify_tags
from schemas.console.errors import TagscaleError, UserError
from schemas.model_hash import model_hash
from schemas.model_head import Head, parse_head
from schemas.tags import SourceEntry, Tags, TagsLayout, TagsManifest
from tests.pipeline.tagging.conftest import TAGS
from training.shipping_diff.compare_tags import compare_tags

WIDTH, ONE = 8, TagOptions(workers=1)
FORMER = "f" * 64  # SHA-256 of the model that is said to have made the embeddings

Contents = Callable[..., dict[str, str]]


def synthetic(
    root: Path, model: Path, count: int = 40, first: int = 0, *, trunk: str | None = None, **options: object
) -> TaggedTracks:
    """A generation of tags with random embeddings, said to be made by a model with another head, or even another trunk."""
    rng = np.random.default_rng(first)
    embeddings = rng.normal(scale=2, size=(count, WIDTH)).astype(np.float16)
    tracks = TaggedTracks(
        ids=[f"träck {number:04d}" for number in range(first, first + count)],
        groups=[f"artist {number // 5}" for number in range(first, first + count)],
        embeddings=options.pop("embeddings", embeddings),  # type: ignore[arg-type]
        scores=rng.random((count, len(TAGS))).astype(np.float16),
        pcm=[f"{number:064x}" for number in range(count)],
        rejected=options.pop("rejected", ()),  # type: ignore[arg-type]
    )
    entry = read_model(str(model)).entry
    made_by = dataclasses.replace(entry, sha256=FORMER, trunk_sha256=trunk or entry.trunk_sha256)
    write_generation(root, tracks, entry=made_by, **options)  # type: ignore[arg-type]
    return tracks


def table_of(root: Path) -> pa.Table:
    """All scores of tags, in the order of their shards."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(root.glob("scores/gen-*/*.parquet"))])


def matrix_of(table: pa.Table, column: str) -> np.ndarray:
    return np.array(table[column].to_pylist(), np.float64).reshape(table.num_rows, -1)


def layer_of(model: Path) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the last layer of an exported model, as TensorFlow loads them."""
    import tensorflow as tf

    weights = [weight.numpy() for weight in tf.saved_model.load(str(model)).weights]
    (number,) = [number for number, one in enumerate(weights) if one.shape == (WIDTH, len(TAGS))]
    return weights[number], weights[number + 1]


def test_the_scores_are_those_of_the_last_layer_and_the_embeddings_are_kept(model: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    synthetic(old, model, shards=3, rejected=["träck 0007"])
    summary = tag(str(model), str(new), embeddings=str(old), options=ONE)
    assert (summary.built, summary.records, summary.rejects) == ((0,), 39, {"decode_error": 1})
    before, after = table_of(old), table_of(new)
    for column in ("track_id", "embedding", "seconds"):
        assert after[column] == before[column]
    kernel, bias = layer_of(model)
    expected = 1 / (1 + np.exp(-(matrix_of(before, "embedding") @ kernel.astype(np.float64) + bias)))
    np.testing.assert_allclose(matrix_of(after, "scores"), expected, rtol=2**-11, atol=1e-6)
    assert np.abs(matrix_of(before, "scores") - expected).max() > 0.3  # they are not the old ones
    written = json.loads((new / "tags.json").read_text())
    assert written["model"]["sha256"] == model_hash(str(model))
    assert written["source"] == {
        "kind": "catalog",
        "uri": str(tmp_path / "catalog.csv"),
        "embeddings": {
            "tags": str(old),
            "model_sha256": FORMER,
            "scores": "head_of_mean_embedding",
        },
    }
    assert pq.read_table(new / "tracks" / "gen-000.parquet").equals(pq.read_table(old / "tracks" / "gen-000.parquet"))


def test_every_reader_of_tags_takes_them(model: Path, tmp_path: Path) -> None:
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    tracks = synthetic(tmp_path / "old", model)
    tag(str(model), new, embeddings=old, options=ONE)
    assert verify_tags(new).problems == ()
    options = SimilarOptions(count=5)
    near = [
        [one.track_id for one in similar(root, track=tracks.ids[3], options=options).neighbours] for root in (old, new)
    ]
    assert near[0] == near[1]
    assert import_scores(new, str(tmp_path / "heard")).annotations == 40 * len(TAGS)
    found = compare_tags(old, new)
    assert (found.tracks, found.flips > 0) == (40, True)
    take_out(new, pa.array(tracks.ids[:2]), purge=True)
    assert verify_tags(new).problems == ()
    assert table_of(tmp_path / "new").num_rows == 38


def test_a_deleted_mark_is_made_again_and_workers_do_not_change_a_byte(
    model: Path, tmp_path: Path, contents: Contents
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    synthetic(old, model, count=30, shards=4)
    tag(str(model), str(tmp_path / "whole"), embeddings=str(old), options=ONE)
    tag(str(model), str(new), embeddings=str(old), options=ONE)
    assert contents(new) == contents(tmp_path / "whole")
    # As a killed command leaves it: the generation is planned, and one shard has no mark.
    layout = TagsLayout(str(new))
    manifest = TagsManifest.read(layout.manifest)
    entry = dataclasses.replace(manifest.generations[0], records=None, rejects=None, tracks_sha256=None)
    Path(layout.manifest).write_bytes(dataclasses.replace(manifest, generations=(entry,)).to_bytes())
    Path(layout.tracks(0)).unlink()
    Path(layout.done_mark(manifest.spec, 0, 2)).unlink()
    kept = {path: path.stat().st_mtime_ns for path in new.glob("scores/gen-000/*.json")}
    assert len(kept) == 3
    assert tag(str(model), str(new), embeddings=str(old), options=ONE).built == (0,)
    assert contents(new) == contents(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert tag(str(model), str(new), embeddings=str(old), options=ONE).built == ()


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(model: Path, tmp_path: Path, contents: Contents) -> None:
    synthetic(tmp_path / "old", model, count=300, shards=4)
    for workers in (1, 2):
        out = str(tmp_path / f"by {workers}")
        tag(str(model), out, embeddings=str(tmp_path / "old"), options=TagOptions(workers=workers))
    assert contents(tmp_path / "by 1") == contents(tmp_path / "by 2")


def test_tags_that_grow_or_lose_tracks_are_followed(model: Path, tmp_path: Path, contents: Contents) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    tracks = synthetic(old, model)
    take_out(str(old), pa.array(tracks.ids[:1]), purge=False)
    take_out(str(old), pa.array(tracks.ids[1:2]), purge=True)
    first = tag(str(model), str(new), embeddings=str(old), options=ONE)
    assert (first.built, first.records) == ((0,), 38)
    assert set(table_of(new)["track_id"].to_pylist()) == set(tracks.ids[2:])
    synthetic(old, model, count=10, first=40)
    take_out(str(old), pa.array(tracks.ids[2:3]), purge=True)
    before = contents(new, below="plan")
    again = tag(str(model), str(new), embeddings=str(old), options=ONE)
    assert (again.built, again.records) == ((1,), 47)
    assert before.items() <= contents(new, below="plan").items()
    assert set(table_of(new)["track_id"].to_pylist()) == {
        *tracks.ids[3:],
        *(f"träck {number:04d}" for number in range(40, 50)),
    }
    removed = [Tags.open(str(root)).removed().to_pylist() for root in (old, new)]
    assert removed[0] == removed[1]
    assert verify_tags(str(new)).problems == ()
    assert tag(str(model), str(new), embeddings=str(old), options=ONE).built == ()


def test_an_embedding_that_float16_cannot_hold_is_a_reject(model: Path, tmp_path: Path) -> None:
    embeddings = np.ones((60, WIDTH), np.float16)
    embeddings[7, 3] = np.inf
    tracks = synthetic(tmp_path / "old", model, count=60, embeddings=embeddings)
    found = tag(str(model), str(tmp_path / "new"), embeddings=str(tmp_path / "old"), options=ONE)
    assert (found.records, found.rejects, found.examples["not_finite"][0]) == (59, {"not_finite": 1}, tracks.ids[7])
    assert verify_tags(str(tmp_path / "new")).problems == ()
    with pytest.raises(UserError, match="the model failed on 1 of 60 stored tracks"):
        strict = TagOptions(workers=1, max_reject_rate=0.01)
        tag(str(model), str(tmp_path / "strict"), embeddings=str(tmp_path / "old"), options=strict)


def test_a_removal_from_the_dataset_reaches_them(model: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "data"
    dataset.mkdir()
    (dataset / "dataset.json").write_text("{}")
    synthetic(tmp_path / "old", model, source=SourceEntry("dataset", str(dataset)))
    tag(str(model), str(tmp_path / "new"), embeddings=str(tmp_path / "old"), options=ONE)
    notes = [json.loads(path.read_text())["tags"] for path in dataset.glob("runs/tags-*.json")]
    assert str(tmp_path / "new") in notes


def test_what_cannot_lend_its_embeddings_is_refused(model: Path, tmp_path: Path, contents: Contents) -> None:
    old, catalog = tmp_path / "old", str(tmp_path / "catalog.csv")
    tracks = synthetic(old, model)
    synthetic(tmp_path / "scores", model, with_embeddings=False)
    synthetic(tmp_path / "other", model, trunk="1" * 64)
    before_export = Path(shutil.copytree(model, tmp_path / "before"))
    (before_export / "assets" / "head.npz").unlink()
    damaged = Path(shutil.copytree(model, tmp_path / "damaged"))
    data = bytearray((damaged / "assets" / "head.npz").read_bytes())
    data[200] ^= 1
    (damaged / "assets" / "head.npz").write_bytes(data)
    for given, inputs, words in (
        (model, {"embeddings": str(old), "catalog": catalog}, "expected either --catalog.* or --embeddings"),
        (
            model,
            {"embeddings": str(tmp_path / "other")},
            "found those of another trunk .*tag with --dataset or --catalog",
        ),
        (
            before_export,
            {"embeddings": str(old)},
            "found one without assets/head.npz, which --embeddings needs; export",
        ),
        (damaged, {"embeddings": str(old)}, "its assets cannot be read: head.npz: expected"),
        (model, {"embeddings": str(tmp_path / "scores")}, "these were made with --no-embeddings"),
        (model, {"embeddings": str(tmp_path / "none")}, r"found no tags\.json"),
        (
            model,
            {"embeddings": str(old), "options": TagOptions(shards=3)},
            "--shards: expected only with --catalog; with --embeddings",
        ),
    ):
        with pytest.raises(UserError, match=words) as refused:
            tag(str(given), str(tmp_path / "new"), **inputs)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "new").exists()
    before = contents(old)
    with pytest.raises(UserError, match="holds the scores of another model"):
        tag(str(model), str(old), embeddings=str(old), options=ONE)
    whole = tmp_path / "whole"
    write_generation(whole, tracks, entry=read_model(str(model)).entry)
    with pytest.raises(UserError, match="holds what the whole model gave, received inputs for what its head gave"):
        tag(str(model), str(whole), embeddings=str(old), options=ONE)
    assert contents(old) == before


def test_tags_under_way_or_damaged_lend_nothing(model: Path, tmp_path: Path) -> None:
    old, layout = tmp_path / "old", TagsLayout(str(tmp_path / "old"))
    synthetic(old, model)
    finished = TagsManifest.read(layout.manifest)
    begun = dataclasses.replace(finished.generations[0], generation=1, records=None, rejects=None, tracks_sha256=None)
    Path(layout.manifest).write_bytes(finished.with_generation(begun).to_bytes())
    with pytest.raises(UserError, match=r"expected finished tags; gen-001 is under way"):
        tag(str(model), str(tmp_path / "new"), embeddings=str(old), options=ONE)
    Path(layout.manifest).write_bytes(finished.to_bytes())
    file = next(old.glob("scores/gen-000/*.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(TagscaleError, match=f"{file.name}: its bytes are not those of its done mark"):
        tag(str(model), str(tmp_path / "new"), embeddings=str(old), options=ONE)
    file.write_bytes(whole)
    assert tag(str(model), str(tmp_path / "new"), embeddings=str(old), options=ONE).records == 40


@pytest.mark.slow
def test_another_form_has_the_same_head(model: Path, onnx_model: Path, tmp_path: Path) -> None:
    head = (onnx_model / "assets" / "head.npz").read_bytes()
    assert head == (model / "assets" / "head.npz").read_bytes()
    found, (kernel, bias) = parse_head(head, WIDTH, len(TAGS)), layer_of(model)
    np.testing.assert_array_equal(found.kernel, kernel)
    np.testing.assert_array_equal(found.bias, bias)
    synthetic(tmp_path / "old", model, count=4)
    tag(str(onnx_model), str(tmp_path / "new"), embeddings=str(tmp_path / "old"), options=ONE)
    assert Tags.open(str(tmp_path / "new")).manifest.model.sha256 == model_hash(str(onnx_model), "onnx")


def test_a_score_has_the_same_bits_whatever_rows_come_with_it() -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(500, 50)).astype(np.float32), rng.normal(size=50).astype(np.float32))
    rows = rng.normal(size=(64, 500)).astype(np.float16)
    rows[5] = 60_000  # far beyond where exp overflows
    together = head.scores(rows)
    assert ((together >= 0) & (together <= 1)).all()
    for first, end in ((0, 1), (3, 17), (17, 64)):
        np.testing.assert_array_equal(head.scores(rows[first:end]), together[first:end])
