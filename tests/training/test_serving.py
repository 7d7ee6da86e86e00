"""The SavedModel against the training model: the same scores, from raw audio and from stored features."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from schemas.dataset import Dataset
from schemas.errors import UserError
from tests.training.conftest import TAGS, SmallDataset
from training.config import TrainConfig
from training.export import export
from training.records import TrackRecords, as_float
from training.scoring import TrackScorer
from training.tag import tag_files
from training.train import train
from training.trained import TrainedRun, open_run


@dataclasses.dataclass(frozen=True)
class Served:
    run: TrainedRun
    model: Path
    signatures: dict[str, object]

    def records(self, family: str) -> TrackRecords:
        from training.labels import labelled_tracks

        spec = self.run.dataset.spec(family)
        return TrackRecords(self.run.dataset, labelled_tracks(self.run.dataset, self.run.labels, spec, "train"))

    def call(self, name: str, **inputs: object) -> np.ndarray:
        (output,) = self.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()}).values()
        return output.numpy()


def _served(run: str, folder: Path) -> Served:
    export(run, str(folder))
    return Served(open_run(run), folder, tf.saved_model.load(str(folder)).signatures)


@pytest.fixture(scope="module")
def spectrogram(small_run: str, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return _served(small_run, tmp_path_factory.mktemp("spectrogram") / "model")


@pytest.fixture(scope="module")
def waveform(small_config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("waveform")
    config = dataclasses.replace(small_config, frontend="waveform", patch_seconds=1.5, epochs=1)
    train(config, str(folder / "run"))
    return _served(str(folder / "run"), folder / "model")


def _stored_waveforms(served: Served, count: int = 6) -> list[np.ndarray]:
    records = served.records("waveform")
    return [as_float(records.read(number)) for number in range(count)]


@pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])
def test_raw_audio_scores_as_the_training_model_scores_the_stored_features(
    frontend: str, request: pytest.FixtureRequest
) -> None:
    served: Served = request.getfixturevalue(frontend)
    records = served.records(served.run.config.family)
    trained = TrackScorer(served.run.model, served.run.config.patch).scores(records)
    assert np.ptp(trained, axis=0).min() > 0.003, "a model that scores all tracks alike would show nothing"
    for number, samples in enumerate(_stored_waveforms(served)):
        assert np.abs(served.call("serving_default", waveform=samples[None])[0] - trained[number]).max() <= 2e-3


@pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])
def test_padded_rows_score_as_each_row_alone_whatever_the_padding_holds(
    frontend: str, request: pytest.FixtureRequest
) -> None:
    served: Served = request.getfixturevalue(frontend)
    rows = [
        samples[:length] for samples, length in zip(_stored_waveforms(served), (9_000, 31_999, 32_000), strict=False)
    ]
    padded = np.full((len(rows), 60_000), 0.7, np.float32)
    for row, samples in zip(padded, rows, strict=True):
        row[: len(samples)] = samples
    together = served.call("padded", waveform=padded, samples=np.array([len(row) for row in rows], np.int32))
    for row, scores in zip(rows, together, strict=True):
        assert np.abs(served.call("serving_default", waveform=row[None])[0] - scores).max() <= 1e-5


def test_logmel_is_scored_as_the_waveform_that_it_was_taken_of(spectrogram: Served) -> None:
    stored = spectrogram.records("logmel")
    for number, samples in enumerate(_stored_waveforms(spectrogram, 3)):
        logmel = as_float(stored.read(number))
        by_logmel = spectrogram.call("logmel", logmel=logmel[None])
        assert np.abs(by_logmel - spectrogram.call("serving_default", waveform=samples[None])).max() <= 2e-3


def test_a_batch_scores_as_its_rows(spectrogram: Served) -> None:
    batch = np.stack([samples[:30_000] for samples in _stored_waveforms(spectrogram)])
    together = spectrogram.call("serving_default", waveform=batch)
    alone = np.concatenate([spectrogram.call("serving_default", waveform=row[None]) for row in batch])
    assert np.abs(together - alone).max() <= 1e-5


@pytest.mark.parametrize("samples", [1, 100, 15_999, 16_000, 16_257])
def test_any_length_is_scored(spectrogram: Served, samples: int) -> None:
    scores = spectrogram.call("serving_default", waveform=np.full((1, samples), 0.1, np.float32))
    assert scores.shape == (1, len(TAGS))
    assert np.isfinite(scores).all()


def test_the_embedding_is_the_average_over_patches_and_the_tags_are_in_order(spectrogram: Served) -> None:
    (samples, *_) = _stored_waveforms(spectrogram, 1)
    embedding = spectrogram.call("embed", waveform=samples[None])
    assert embedding.shape == (1, spectrogram.run.config.dense_units)
    assert np.abs(embedding).max() > 0
    assert [tag.decode() for tag in spectrogram.call("tags")] == list(TAGS)


def test_a_waveform_model_has_no_logmel_signature(waveform: Served) -> None:
    assert sorted(waveform.signatures) == ["embed", "padded", "serving_default", "tags"]


def test_inputs_and_outputs_carry_the_documented_names(spectrogram: Served) -> None:
    names = {
        name: (sorted(signature.structured_input_signature[1]), sorted(signature.structured_outputs))
        for name, signature in spectrogram.signatures.items()
    }
    assert names == {
        "serving_default": (["waveform"], ["scores"]),
        "padded": (["samples", "waveform"], ["scores"]),
        "logmel": (["logmel"], ["scores"]),
        "embed": (["waveform"], ["embedding"]),
        "tags": ([], ["tags"]),
    }


def test_the_assets_say_what_the_model_is(spectrogram: Served, small_dataset: SmallDataset) -> None:
    assets = spectrogram.model / "assets"
    assert (assets / "vocabulary.txt").read_text().splitlines() == list(TAGS)
    spec = json.loads((assets / "feature_spec.json").read_text())
    assert spec == Dataset.open(small_dataset.root).spec("logmel").to_dict()
    labels = json.loads((assets / "labels.json").read_text())
    config = json.loads((assets / "config.json").read_text())
    assert config["label_set"] == f"{labels['name']}@{labels['version']}"


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        ("assets/feature_spec.json", None, "found one without assets/feature_spec.json; export it again"),
        (
            "assets/feature_spec.json",
            b'{"family"',
            "feature_spec.json: expected a feature spec, a JSON object: .*export",
        ),
        ("assets/feature_spec.json", b"[]", "expected a feature spec, a JSON object: it is list"),
        (
            "assets/feature_spec.json",
            b'{"family": "x"}',
            "expected a feature spec, a JSON object: .*received 'x'; export",
        ),
        ("saved_model.pb", b"no model", r"but it cannot be loaded \(.*; export it again"),
        ("variables/variables.index", b"", r"but it cannot be loaded \(.*; export it again"),
    ],
)
def test_a_saved_model_that_export_did_not_write_or_that_is_broken_is_refused(
    spectrogram: Served, tmp_path: Path, file: str, data: bytes | None, words: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(spectrogram.model, model)
    (model / file).unlink() if data is None else (model / file).write_bytes(data)
    with pytest.raises(UserError, match=words) as raised:
        tag_files(str(model), ["a.wav"])
    assert str(raised.value).startswith(str(model))
    assert "\n" not in str(raised.value)


def test_a_file_is_tagged_before_the_next_is_looked_at(spectrogram: Served, tmp_path: Path) -> None:
    first, second = tmp_path / "1.wav", tmp_path / "2.wav"
    soundfile.write(first, np.sin(np.arange(32_000) / 8), 16_000)
    tagged = tag_files(str(spectrogram.model), [str(first), str(second)])
    one = next(tagged)
    shutil.copy(first, second)
    two = next(tagged)
    assert (one.file, two.file) == (str(first), str(second))
    assert one.scores == two.scores
    assert one.scores


@pytest.mark.slow
def test_it_loads_with_tensorflow_alone(spectrogram: Served, tmp_path: Path) -> None:
    program = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "print(model.signatures['serving_default'](waveform=tf.zeros([1, 20000]))['scores'].shape)\n"
        "ours = {name.split('.')[0] for name in sys.modules} & {'training', 'schemas', 'pipeline'}\n"
        "assert not ours, ours\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program, str(spectrogram.model)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == f"(1, {len(TAGS)})"


def test_an_export_replaces_a_savedmodel_and_nothing_else(small_run: str, spectrogram: Served, tmp_path: Path) -> None:
    export(small_run, str(spectrogram.model))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"expected a SavedModel to replace or an empty folder, found notes\.txt"):
        export(small_run, str(tmp_path))


def test_a_run_that_never_validated_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a run"):
        export(str(tmp_path), str(tmp_path / "model"))
