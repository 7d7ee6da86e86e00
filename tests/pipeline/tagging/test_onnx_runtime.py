"""`tag --runtime onnx` scores with onnxruntime what TensorFlow scores, and imports no TensorFlow."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.search.query import query_of_file
from pipeline.tagging.inference import Inference
from pipeline.tagging.model_files import read_model, runtime_for
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from pipeline.tagging.verify_tags import verify_tags
from schemas.console.errors import UserError
from schemas.tags import Tags
from tests.conftest import SmallCorpus, small_catalog
from tests.pipeline.tagging.conftest import TAGS

ONE = TagOptions(workers=1, shards=4, excerpt="center:30", runtime="onnx")


def _rows(tags: Path) -> dict[str, dict[str, object]]:
    files = sorted(tags.glob("scores/gen-*/*.parquet"))
    return {row["track_id"]: row for file in files for row in pq.read_table(file).to_pylist()}


@pytest.fixture
def no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started from here on cannot import TensorFlow or Keras."""
    for name in ("tensorflow", "keras"):
        (tmp_path / "blocked" / name).mkdir(parents=True)
        (tmp_path / "blocked" / name / "__init__.py").write_text("raise ImportError('blocked by this test')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "blocked"))


@pytest.fixture(scope="session")
def onnx_tagged(small_corpus: SmallCorpus, onnx_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus, scored from its audio by one worker with onnxruntime; tests only read it."""
    out = tmp_path_factory.mktemp("onnx tagged") / "tags"
    summary = tag(str(onnx_model), str(out), catalog=small_corpus.catalog, options=ONE)
    assert (summary.tracks, summary.records, summary.rejects) == (24, 24, {})
    return out


def test_the_scores_are_those_of_tensorflow(onnx_tagged: Path, tagged: Path) -> None:
    found, expected = _rows(onnx_tagged), _rows(tagged)
    assert found.keys() == expected.keys()
    for track, row in expected.items():
        for name in ("scores", "embedding"):
            values = np.array(row[name], np.float32)
            # Both are stored in float16: a difference of 1e-6 may round to the next number.
            np.testing.assert_allclose(np.array(found[track][name], np.float32), values, rtol=1e-3, atol=1e-3)
    assert verify_tags(str(onnx_tagged)).problems == ()


def test_the_tags_name_the_model_and_the_runtime(onnx_tagged: Path, tagged: Path, onnx_model: Path) -> None:
    manifest, other = Tags.open(str(onnx_tagged)).manifest, Tags.open(str(tagged)).manifest
    assert manifest.model == read_model(str(onnx_model), "onnx").entry
    assert manifest.model.sha256 != other.model.sha256
    assert manifest.model.trunk_sha256 == other.model.trunk_sha256  # the same weights in another form
    assert manifest.versions["onnxruntime"] == importlib.metadata.version("onnxruntime")
    assert "tensorflow" not in manifest.versions
    assert manifest.model.tags == TAGS


def test_it_imports_no_tensorflow(
    no_tensorflow: None, onnx_model: Path, model: Path, tmp_path: Path, onnx_tagged: Path, small_corpus: SmallCorpus
) -> None:
    out = tmp_path / "tags"
    tag(str(onnx_model), str(out), catalog=small_corpus.catalog, options=ONE)
    assert _rows(out) == _rows(onnx_tagged)
    # The block works: TensorFlow cannot be imported by the process that runs a SavedModel.
    with pytest.raises(UserError, match="1 inference_crash, .* ImportError: blocked by this test"):
        catalog, options = small_catalog(tmp_path, 1), TagOptions(workers=1)
        tag(str(model), str(tmp_path / "blocked tags"), catalog=catalog, options=options)


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(
    onnx_tagged: Path, small_corpus: SmallCorpus, onnx_model: Path, tmp_path: Path, contents: object
) -> None:
    options = TagOptions(2, 4, excerpt="center:30", runtime="onnx")
    tag(str(onnx_model), str(tmp_path / "tags"), catalog=small_corpus.catalog, options=options)
    assert contents(tmp_path / "tags") == contents(onnx_tagged)  # type: ignore[operator]


def test_a_patch_that_is_not_finite_gets_no_scores_and_leaves_its_neighbours_alone(onnx_model: Path) -> None:
    served = read_model(str(onnx_model), "onnx")
    with Inference(served, 4) as running:
        running.patches[:] = np.random.default_rng(0).uniform(0, 3, running.patches.shape)
        sound = running.run(4).copy()
        running.patches[2].flat[5] = np.nan
        found = running.run(4)
        assert np.isnan(found[2]).all()
        np.testing.assert_array_equal(np.delete(found, 2, axis=0), np.delete(sound, 2, axis=0))


# onnxruntime's own process, which may take 5 MB more once the model is loaded.
LITTLE_MEMORY = """
import resource
from pipeline.tagging import onnx_process
from pipeline.tagging.inference_process import serve

def load(folder):
    score = onnx_process._loaded(folder)
    with open("/proc/self/statm") as pages:
        used = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 5_000_000,) * 2)
    return score

serve(load)
"""


def test_onnxruntime_out_of_memory_is_told_as_such(
    onnx_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "little_memory.py").write_text(LITTLE_MEMORY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    served = read_model(str(onnx_model), "onnx")
    with Inference(served, 64, module="little_memory") as running, pytest.raises(TrackRejected) as rejected:
        running.run(64)
    assert rejected.value.cause is Cause.INFERENCE_MEMORY


def test_similar_scores_a_file_with_the_runtime_of_the_model(
    no_tensorflow: None, onnx_tagged: Path, onnx_model: Path, small_corpus: SmallCorpus
) -> None:
    track, uri = next(line.split(",")[:2] for line in Path(small_corpus.catalog).read_text().splitlines()[1:])
    file = str(Path(small_corpus.catalog).parent / uri)
    query = query_of_file(Tags.open(str(onnx_tagged)), file, str(onnx_model))
    np.testing.assert_array_equal(query.embedding, np.array(_rows(onnx_tagged)[track]["embedding"], np.float16))


def test_a_folder_for_another_runtime_says_what_to_do(model: Path, onnx_model: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"expected a SavedModel, found an ONNX model; give --runtime onnx, or write one"
    ):
        read_model(str(onnx_model))
    with pytest.raises(
        UserError,
        match=r"expected an ONNX model, found a SavedModel; give --runtime tensorflow, or write one with .* --format onnx`",
    ):
        read_model(str(model), "onnx")
    (tmp_path / "model.tflite").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"expected an ONNX model, found a LiteRT model; write one with .* --format onnx`"
    ):
        read_model(str(tmp_path), "onnx")
    assert (runtime_for(str(model)), runtime_for(str(onnx_model))) == ("tensorflow", "onnx")


def test_a_foreign_or_incomplete_onnx_model_says_what_is_missing(onnx_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("patches.onnx", "assets/model.json", "model.onnx"):
        shutil.copytree(onnx_model, copy)
        (copy / name).unlink()
        with pytest.raises(UserError, match=rf"expected an ONNX model.* found .*{name}; .*--format onnx`") as raised:
            read_model(str(copy), "onnx")
        assert "\n" not in str(raised.value)
        shutil.rmtree(copy)


def test_a_file_that_changed_is_another_model_and_one_beside_it_is_not(onnx_model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(onnx_model, tmp_path / "copy")
    (copy / "notes.txt").write_text("mine")
    before = read_model(str(copy), "onnx").entry
    assert before == read_model(str(onnx_model), "onnx").entry
    with open(copy / "patches.onnx", "ab") as file:
        file.write(b"\0")
    assert read_model(str(copy), "onnx").entry.sha256 != before.sha256


def test_without_onnxruntime_one_line_names_the_extra(
    onnx_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        if package == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr("pipeline.tagging.planning.importlib.metadata.version", version)
    with pytest.raises(
        UserError, match=r"--runtime onnx: onnxruntime, which runs the model, is not installed; .*'\.\[onnx\]'"
    ):
        tag(str(onnx_model), str(tmp_path / "tags"), catalog=small_catalog(tmp_path, 1), options=ONE)
