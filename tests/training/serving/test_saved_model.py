"""An exported model that scores a signal block by block, compared with its own `serving_default` on the whole signal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.audio.logmel import logmel_blocks
from schemas.console.errors import UserError
from schemas.features import LogMelSpec
from tests.training.conftest import TAGS, Served
from training.data.records import as_float
from training.serving.saved_model import SECONDS_AT_ONCE, SavedModel

PATCH = {"spectrogram": 16_000, "waveform": 24_000}  # samples
TOLERANCE = 1e-5


def _signal(samples: int) -> np.ndarray:
    """An int16 signal that grows louder and changes its pitch, so that patches and their edges differ."""
    time = np.arange(samples) / 16_000
    sound = np.sin(2 * np.pi * (200 + 150 * time) * time) * (0.05 + 0.04 * time)
    sound += np.random.default_rng(samples).normal(scale=0.01, size=samples)
    return np.clip(sound * 32_768, -32_768, 32_767).astype(np.int16)


def _blocks(signal: np.ndarray, model: SavedModel, size: int = 5_000) -> Iterator[np.ndarray]:
    if isinstance(model.spec, LogMelSpec):
        return logmel_blocks(lambda first, end: signal[first:end], len(signal), model.spec)
    return (as_float(signal[start : start + size]) for start in range(0, len(signal), size))


@pytest.fixture(scope="module", params=["spectrogram", "waveform"])
def served(request: pytest.FixtureRequest) -> Served:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def model(served: Served) -> SavedModel:
    return SavedModel(str(served.model))


@pytest.mark.parametrize("patches", [0.0001, 0.3, 0.999, 1, 1.001, 1.02, 1.7, 2, 2.5, 16, 33.3])
def test_a_signal_in_blocks_scores_as_the_whole_waveform(patches: float, served: Served, model: SavedModel) -> None:
    signal = _signal(max(1, round(patches * PATCH[served.run.config.frontend])))
    whole = served.call("serving_default", waveform=as_float(signal)[np.newaxis])[0]
    scores = model.scores(_blocks(signal, model))
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, whole, atol=TOLERANCE, rtol=0)


def test_two_signals_do_not_score_alike(served: Served, model: SavedModel) -> None:
    """Otherwise the test above would prove nothing."""
    samples = PATCH[served.run.config.frontend]
    loud, quiet = (model.scores(_blocks(_signal(4 * samples)[part:][:samples], model)) for part in (3 * samples, 0))
    assert np.abs(loud - quiet).max() > 100 * TOLERANCE


def test_what_goes_through_the_model_together_has_two_shapes_and_few_seconds(
    model: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    inner = model._served

    def spy(**inputs: tf.Tensor) -> object:
        (values,) = inputs.values()
        shapes.append(tuple(values.shape))
        return inner(**inputs)

    monkeypatch.setattr(model, "_served", spy)
    for samples in (8_000, 500_000, 1_000_000):
        model.scores(_blocks(_signal(samples), model))
    patch = (63, 96) if isinstance(model.spec, LogMelSpec) else (24_000,)
    at_once = 15 if isinstance(model.spec, LogMelSpec) else 10
    assert set(shapes) == {(1, *patch), (at_once, *patch)}
    assert at_once * PATCH["spectrogram" if len(patch) == 2 else "waveform"] <= SECONDS_AT_ONCE * 16_000


def test_the_tags_are_in_the_order_of_the_scores(model: SavedModel) -> None:
    assert model.tags == list(TAGS)


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        (
            "saved_model.pb",
            None,
            r"expected a SavedModel, found no saved_model\.pb; write one with `.*training/run\.py export`",
        ),
        ("saved_model.pb", b"no model", r"but it cannot be loaded \(.*; export it again"),
        ("variables/variables.index", b"", r"but it cannot be loaded \(.*; export it again"),
        ("assets/feature_spec.json", None, r"found one without assets/feature_spec\.json; export it again"),
        (
            "assets/feature_spec.json",
            b'{"family"',
            r"feature_spec\.json: expected a feature spec, a JSON object: .*export",
        ),
        ("assets/feature_spec.json", b"[]", "expected a feature spec, a JSON object: it is list"),
        (
            "assets/feature_spec.json",
            b'{"family": "x"}',
            "expected a feature spec, a JSON object: .*received 'x'; export",
        ),
        ("assets/config.json", None, r"found one without assets/config\.json; export it again"),
        (
            "assets/config.json",
            b"{",
            r"config\.json: expected a configuration, a JSON object: .*; export the model again",
        ),
        ("assets/config.json", b"[]", r"config\.json: expected a configuration, a JSON object: it is list"),
        ("assets/config.json", b"{}", r"patch_seconds: expected more than 0 and at most 86400, received None; export"),
        ("assets/config.json", b'{"patch_seconds": "1"}', "received '1'; export"),
        ("assets/config.json", b'{"patch_seconds": true}', "received True; export"),
        ("assets/config.json", b'{"patch_seconds": 0}', "received 0; export"),
        ("assets/config.json", b'{"patch_seconds": NaN}', "received nan; export"),
        ("assets/config.json", b'{"patch_seconds": 1e300}', r"received 1e\+300; export"),
    ],
)
def test_a_saved_model_that_export_did_not_write_or_that_is_broken_is_refused(
    spectrogram: Served, tmp_path: Path, file: str, data: bytes | None, words: str
) -> None:
    model = Path(shutil.copytree(spectrogram.model, tmp_path / "model"))
    (model / file).unlink() if data is None else (model / file).write_bytes(data)
    with pytest.raises(UserError, match=words) as raised:
        SavedModel(str(model))
    assert str(raised.value).startswith(str(model))
    assert "\n" not in str(raised.value)


def test_only_the_patch_of_a_configuration_of_another_version_counts(spectrogram: Served, tmp_path: Path) -> None:
    model = Path(shutil.copytree(spectrogram.model, tmp_path / "model"))
    (model / "assets" / "config.json").write_text(json.dumps({"format": 9, "patch_seconds": 1, "colour": "blue"}))
    signal = _signal(40_000)
    scores = [
        each.scores(_blocks(signal, each)) for each in (SavedModel(str(model)), SavedModel(str(spectrogram.model)))
    ]
    np.testing.assert_array_equal(*scores)


def test_a_model_that_may_not_be_read_is_not_to_be_exported_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise tf.errors.PermissionDeniedError(None, None, "variables.index; Permission denied")

    monkeypatch.setattr(tf.saved_model, "load", refuse)
    with pytest.raises(UserError, match="cannot be read: .*; give this user the right to read its files$"):
        SavedModel(str(served.model))
