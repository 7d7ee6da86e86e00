"""Published weights become a SavedModel and a run that the other commands take; damaged ones cost one line."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schemas.console.errors import DatasetError, UserError
from tests.training.conftest import SmallDataset, compiled_graphs
from tests.training.published.conftest import ImportModel
from training.published.import_weights import import_weights
from training.published.models import MODELS


def test_the_saved_model_is_whole_and_names_its_source(import_model: ImportModel, contents: Callable) -> None:
    folder = Path(import_model("MTT_musicnn").saved_model)
    assert {"config", "feature_spec", "labels", "model"} <= {path.stem for path in (folder / "assets").glob("*.json")}
    assert not (folder / "assets" / "thresholds.json").exists(), "no validation track was seen"
    vocabulary = (folder / "assets" / "vocabulary.txt").read_text().splitlines()
    assert (len(vocabulary), vocabulary[:3], vocabulary[-1]) == (50, ["guitar", "classical", "slow"], "choral")
    model = json.loads((folder / "assets" / "model.json").read_text())
    assert (model["licence"], model["patch"], model["embedding"]) == ("ISC", 187, 200)
    card = (folder / "MODEL_CARD.md").read_text()
    assert all(words in card for words in ("the Python package musicnn", "0.9067", "no thresholds", "ISC"))
    assert "Permission to use, copy, modify" in (folder / "LICENSE.txt").read_text()


def test_a_signal_shorter_than_a_patch_and_a_long_one_are_scored(import_model: ImportModel) -> None:
    served = tf.saved_model.load(import_model("MTT_vgg").saved_model).signatures
    for seconds in (0.5, 7.3):
        waveform = np.random.default_rng(0).normal(scale=0.1, size=(1, round(16_000 * seconds))).astype(np.float32)
        scores = served["serving_default"](waveform=tf.constant(waveform))["scores"].numpy()
        embedding = served["embed"](waveform=tf.constant(waveform))["embedding"].numpy()
        assert (scores.shape, embedding.shape) == ((1, 50), (1, 256))
        assert np.isfinite(scores).all()
        assert 0 <= scores.min() < scores.max() <= 1


def test_its_run_is_exported_with_the_same_scores(import_model: ImportModel, tmp_path: Path) -> None:
    from training.serving.export import export

    model = import_model("MTT_vgg")
    with compiled_graphs():
        summary = export(model.run, str(tmp_path / "again"))
    assert (summary.tags, summary.epochs) == (50, (0,))
    waveform = np.random.default_rng(0).normal(scale=0.1, size=(1, 60_000)).astype(np.float32)
    first, second = (
        tf.saved_model.load(folder).signatures["serving_default"](waveform=tf.constant(waveform))["scores"].numpy()
        for folder in (model.saved_model, summary.out)
    )
    np.testing.assert_array_equal(first, second)
    for asked in ({"calibrate": "platt"}, {"form": "tflite", "weights": "int8"}):
        with pytest.raises(UserError, match=r"^--(calibrate|weights int8): expected a run with a validation split"):
            export(model.run, str(tmp_path / "other"), **asked)


@pytest.fixture(scope="module")
def own_tags(small_dataset: SmallDataset, tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    """The small dataset with labels of two tags that the published model has, and one that it lacks."""
    from pipeline.labels.overlay import lay_labels

    own = small_dataset.copy(tmp_path_factory.mktemp("own") / "data")
    text = (own.folder / "annotations.csv").read_text()
    (own.folder / "own.csv").write_text(text.replace(",bass", ",guitar").replace(",noise", ",techno"))
    (own.folder / "own.yaml").write_text("name: own\ntags: [techno, tremolo, guitar]\n")
    lay_labels(own.root, [str(own.folder / "own.csv")], str(own.folder / "own.yaml"), split="default")
    return own


def test_its_run_is_evaluated_on_any_dataset_with_its_features(
    import_model: ImportModel, own_tags: SmallDataset
) -> None:
    from training.evaluation.evaluate import evaluate

    run = import_model("MTT_musicnn").run
    result = evaluate(run, dataset=own_tags.root, label_set="own")
    assert (result.vocabulary, result.mapping.unknown) == (("techno", "guitar"), ("tremolo",))
    assert result.tracks == result.mapping.labels.manifest.counts["test"] > 0
    assert result.threshold_tracks == result.mapping.labels.manifest.counts["validation"] > 0
    for asked in ({}, {"label_set": "own"}, {"dataset": own_tags.root}):
        with pytest.raises(UserError, match=r"expected --dataset and --label-set, since its weights were imported"):
            evaluate(run, **asked)


def test_it_is_compared_with_a_run_on_the_tracks_of_that(
    import_model: ImportModel, own_tags: SmallDataset, small_config: object, tmp_path: Path
) -> None:
    """The run began with the published weights, which takes the tags of the same name over."""
    from training.comparison.compare import compare
    from training.fit.train import train

    published = import_model("MTT_musicnn").run
    config = dataclasses.replace(
        small_config,  # type: ignore[type-var]
        dataset=own_tags.root,
        label_set="own",
        frontend="musicnn",
        num_filt=16,
        dense_units=0,
        epochs=1,
        init_from=published,
    )
    summary = train(config, str(tmp_path / "run"))
    assert summary.started_from.taken == ("techno", "guitar")
    assert (summary.started_from.new, len(summary.started_from.dropped)) == (("tremolo",), 48)
    result = compare(published, str(tmp_path / "run"))
    assert result.tags == ("techno", "guitar")
    with pytest.raises(UserError, match="found imported weights in both"):
        compare(published, published)
    with pytest.raises(UserError, match="holds imported weights, which cannot be trained further in place"):
        train(config, published)
    with pytest.raises(UserError, match=r"--init-from .*its network is different \(dense_units: 200 -> 100\)"):
        train(dataclasses.replace(config, dense_units=100), str(tmp_path / "other"))


def test_a_damaged_description_of_its_source_is_noticed(import_model: ImportModel, tmp_path: Path) -> None:
    from training.runs.trained import open_run

    run = shutil.copytree(import_model("MTT_vgg").run, tmp_path / "run")
    described = run / "imported.json"
    described.write_text(described.read_text().replace("MagnaTagATune", "MagnaTagATone"))
    with pytest.raises(DatasetError, match=r"imported\.json: expected where weights come from: .*; import them again"):
        open_run(str(run))


def _wheel(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"musicnn/{name}", data)
    return sink.getvalue()


def _package(wheel: Path, *models: str) -> dict[str, bytes]:
    """The files of some models, by their names in the package."""
    with zipfile.ZipFile(wheel) as archive:
        names = [f"{model}/{name}" for model in models for name in (".index", ".data-00000-of-00001")]
        return {name: archive.read(f"musicnn/{name}") for name in (*names, "configuration.py")}


INDEX, DATA = "MTT_vgg/.index", "MTT_vgg/.data-00000-of-00001"
Damage = Callable[[dict[str, bytes]], None]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "no model": (lambda files: files.pop(DATA), "found one without musicnn/MTT_vgg/.data-00000-of-00001"),
    "no tags": (lambda files: files.pop("configuration.py"), "found one without musicnn/configuration.py"),
    "another list of tags": (
        lambda files: files.update({"configuration.py": b"MTT_LABELS = ['rock', 'rock']"}),
        "expected a list MTT_LABELS of different tags, found something else",
    ),
    "no list of tags": (
        lambda files: files.update({"configuration.py": b"MSD_LABELS = ['rock']"}),
        "expected a list MTT_LABELS of different tags, found none",
    ),
    "no Python": (lambda files: files.update({"configuration.py": b"MTT_LABELS = ["}), "expected Python"),
    "too few tags": (
        lambda files: files.update({"configuration.py": b"MTT_LABELS = ['rock', 'pop']"}),
        "expected as many outputs as tags, found 50 outputs and 2 tags",
    ),
    "cut data": (lambda files: files.update({DATA: files[DATA][:100_000]}), "expected a whole TensorFlow checkpoint"),
    "cut index": (lambda files: files.update({INDEX: files[INDEX][:1000]}), "expected a whole TensorFlow checkpoint"),
    "another number": (
        lambda files: files.update({DATA: bytes([files[DATA][0] ^ 1]) + files[DATA][1:]}),
        "expected a whole TensorFlow checkpoint",
    ),
    "another model": (
        lambda files: files.update(
            {INDEX: files["MTT_musicnn/.index"], DATA: files["MTT_musicnn/.data-00000-of-00001"]}
        ),
        "it is the checkpoint of another model; name its own --model",
    ),
}


@pytest.fixture(scope="module")
def package(musicnn_wheel: Path) -> dict[str, bytes]:
    return _package(musicnn_wheel, "MTT_vgg", "MTT_musicnn")


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_wheel_costs_one_line_and_writes_nothing(
    name: str, package: dict[str, bytes], tmp_path: Path
) -> None:
    damage, words = DAMAGES[name]
    files = dict(package)
    damage(files)
    wheel = tmp_path / "musicnn.whl"
    wheel.write_bytes(_wheel(files))
    with pytest.raises(UserError, match=re.escape(words)) as error:
        import_weights("musicnn", "MTT_vgg", str(wheel), str(tmp_path / "out"))
    assert str(wheel) in str(error.value)
    assert (error.value.exit_code, "\n" in str(error.value)) == (2, False)
    assert [path.name for path in tmp_path.iterdir()] == ["musicnn.whl"]


def test_a_cut_wheel_a_missing_one_and_another_folder_are_refused(musicnn_wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.whl").write_bytes(musicnn_wheel.read_bytes()[:100_000])
    (tmp_path / "music").mkdir()
    for name, words in {
        "cut.whl": "expected a whole wheel, which is a zip file",
        "missing.whl": "expected the wheel of musicnn or a folder, found neither",
        "music": "found a folder without musicnn/configuration.py",
    }.items():
        with pytest.raises(UserError, match=words):
            import_weights("musicnn", "MTT_vgg", str(tmp_path / name), str(tmp_path / "out"))


def test_a_run_that_was_trained_is_not_replaced(small_run: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--run .*expected an imported run to replace, found one that was trained"):
        import_weights("musicnn", "MTT_vgg", "missing.whl", str(tmp_path / "out"), run=small_run)
    with pytest.raises(UserError, match="--model: expected one of MTT_musicnn, .*received 'big'"):
        import_weights("musicnn", "big", "missing.whl", str(tmp_path / "out"))


def test_an_unpacked_wheel_gives_the_same_run(
    package: dict[str, bytes], import_model: ImportModel, contents: Callable, tmp_path: Path
) -> None:
    for name, data in package.items():
        path = tmp_path / "site-packages" / "musicnn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    again, first = tmp_path / "vgg", Path(import_model("MTT_vgg").run)
    shutil.copytree(first, f"{again}-run")  # which is replaced
    with compiled_graphs():
        import_weights("musicnn", "MTT_vgg", str(tmp_path / "site-packages"), str(again))
    assert contents(Path(f"{again}-run")) == contents(first)
    assert set(MODELS) == {"MTT_musicnn", "MTT_vgg", "MSD_musicnn", "MSD_vgg"}
