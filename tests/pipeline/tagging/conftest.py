"""Two small models with random weights, exported as a run's model is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from schemas.features import FeatureSpec, LogMelSpec, WaveformSpec
from schemas.model_calibration import Calibration
from schemas.model_forms import Form

TAGS = ("low", "noise", "tremolo", "tag/with ünïcode")
ONE = TagOptions(workers=1, shards=4, excerpt="center:30")
LABELS = {"name": "small", "version": "0123456789abcdef"}


def write_model(
    out: Path,
    spec: FeatureSpec,
    *,
    seed: int = 0,
    head: int | None = None,
    patch: int | None = None,
    form: Form = "savedmodel",
    calibration: Calibration | None = None,
) -> Path:
    """A tagger with weights that follow from a seed, those of its last layer from `head`."""
    from training.devices.tensorflow_import import import_tensorflow

    import_tensorflow()
    from training.models.tagger import ModelConfig, build_tagger
    from training.serving.model_folder import write_model as write_folder

    frontend = "spectrogram" if isinstance(spec, LogMelSpec) else "waveform"
    patch = patch or (63 if frontend == "spectrogram" else 19_683)
    model = build_tagger(
        ModelConfig(frontend, num_filt=1, waveform_layers=7, dense_units=8), tags=len(TAGS), patch=patch, seed=seed
    )
    rng = np.random.default_rng(seed if head is None else head)
    for weight in model.get_layer("logits").weights:
        weight.assign(rng.normal(size=weight.shape))
    write_folder(
        str(out),
        model,
        form=form,
        patch=patch,
        spec=spec,
        vocabulary=TAGS,
        labels=LABELS,
        config={"patch_seconds": patch / 16_000 if frontend == "waveform" else 1.0, "frontend": frontend},
        calibration=calibration,
    )
    return out


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spectrogram model; tests only read it."""
    return write_model(tmp_path_factory.mktemp("model") / "spectrogram", LogMelSpec(WaveformSpec("center:30")))


@pytest.fixture(scope="session")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spectrogram model of `model` as an ONNX model; tests only read it."""
    spec = LogMelSpec(WaveformSpec("center:30"))
    return write_model(tmp_path_factory.mktemp("model") / "onnx", spec, form="onnx")


@pytest.fixture(scope="session")
def waveform_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A waveform model; tests only read it."""
    return write_model(tmp_path_factory.mktemp("model") / "waveform", WaveformSpec("center:30"))


@pytest.fixture(scope="session")
def tagged(small_corpus, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus, scored from its audio by one worker; tests only read it."""
    out = tmp_path_factory.mktemp("tagged") / "tags"
    summary = tag(str(model), str(out), catalog=small_corpus.catalog, options=ONE)
    assert (summary.tracks, summary.records, summary.rejects) == (24, 24, {})
    return out
