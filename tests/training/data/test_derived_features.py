"""A run on derived log-mel features: trained, evaluated and served with their bands and their hop length."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.audio.tracks import read_waveform
from pipeline.derive.derive import DeriveOptions, derive
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.features import WaveformSpec
from tests.training.conftest import TAGS, SmallDataset
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.evaluation.evaluate import evaluate
from training.evaluation.scoring import TrackScorer
from training.fit.train import train
from training.runs.trained import open_run
from training.serving.export import export
from training.serving.tag import tag_files


@pytest.mark.slow
def test_a_run_on_derived_features_is_served_with_their_bands_and_hop(
    small_dataset: SmallDataset, small_config: TrainConfig, tmp_path: Path
) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    name = derive(copy.root, DeriveOptions(mels=48, hop_length=128, workers=1)).name
    out = str(tmp_path / "run")
    train(dataclasses.replace(small_config, dataset=copy.root, features=name, epochs=1), out)
    written = json.loads(Path(out, "config.json").read_text())
    assert (written["features"], written["hop_length"]) == (name, 128)
    assert evaluate(out, baselines=["logistic"]).tracks > 0
    run = open_run(out)
    assert run.config.patch == 1 + 16_000 // 128
    export(out, str(tmp_path / "model"))
    spec = json.loads((tmp_path / "model" / "assets" / "feature_spec.json").read_text())
    assert (spec["mels"], spec["hop_length"]) == (48, 128)
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    (tagged,) = tag_files(str(tmp_path / "model"), [str(copy.folder / "01.wav")])
    heard = as_float(read_waveform(tagged.file, WaveformSpec("full")).samples)[np.newaxis]
    whole = served(tf.constant(heard))["scores"][0]
    np.testing.assert_allclose([tagged.scores[tag] for tag in TAGS], whole, atol=1e-5, rtol=0)
    records = TrackRecords(run.dataset, labelled_tracks(run.dataset, run.labels, run.spec, "test"))
    waveforms = TrackRecords(
        run.dataset, labelled_tracks(run.dataset, run.labels, run.dataset.spec("waveform"), "test")
    )
    scores = TrackScorer(run.model, run.config.patch).scores(records)
    for number in range(len(records.tracks)):
        waveform = as_float(waveforms.read(number))[np.newaxis]
        np.testing.assert_allclose(served(tf.constant(waveform))["scores"][0], scores[number], atol=2e-3)


def test_features_that_are_not_there_or_of_the_other_front_end_are_refused(
    small_dataset: SmallDataset, small_config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"holds logmel-\w+, waveform-\w+; received logmel-0"):
        train(dataclasses.replace(small_config, features="logmel-0"), str(tmp_path / "run"))
    waveform = f"waveform-{Dataset.open(small_dataset.root).spec('waveform').fingerprint}"
    with pytest.raises(UserError, match="features: expected logmel-… for a spectrogram front-end"):
        dataclasses.replace(small_config, features=waveform)
    assert not (tmp_path / "run").exists()
