"""The SavedModel has the same scores from raw audio as the training model from stored features."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.conftest import TAGS, Served
from training.data.records import as_float
from training.evaluation.scoring import TrackScorer


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
    assert sorted(waveform.signatures) == ["embed", "padded", "patches", "serving_default", "tags"]


def test_inputs_and_outputs_carry_the_documented_names(spectrogram: Served) -> None:
    names = {
        name: (sorted(signature.structured_input_signature[1]), sorted(signature.structured_outputs))
        for name, signature in spectrogram.signatures.items()
    }
    assert names == {
        "serving_default": (["waveform"], ["scores"]),
        "padded": (["samples", "waveform"], ["scores"]),
        "patches": (["patches"], ["embedding", "scores"]),
        "logmel": (["logmel"], ["scores"]),
        "embed": (["waveform"], ["embedding"]),
        "tags": ([], ["tags"]),
    }
