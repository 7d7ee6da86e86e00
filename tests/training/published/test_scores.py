"""Imported models have the scores of the package that they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.audio import load_waveform, log_mel
from tests.conftest import NO_MATERIAL, ROOT
from tests.training.models.golden.formula import inputs
from tests.training.published.conftest import ImportModel
from tests.training.published.generate_scores import CASE, FRAMES, MODELS
from training.published.import_weights import published_network

SCORES = json.loads((Path(__file__).parent / "scores.json").read_text(encoding="utf-8"))
TOLERANCE = 2e-3  # the published scores are rounded to four decimals; our log-mel is float16
AT_ONCE = 4  # patches


@pytest.mark.parametrize("name", MODELS)
def test_a_patch_has_the_scores_of_the_packages_own_graph(name: str, musicnn_wheel: Path) -> None:
    logits = published_network(name, str(musicnn_wheel)).model(inputs(CASE))["logits"]
    scores = np.array(SCORES[name])
    np.testing.assert_allclose(logits, np.log(scores / (1 - scores)), atol=1e-3)


@pytest.fixture(scope="module")
def whole_patches(material: Path) -> Callable[[str], np.ndarray]:
    """Patches of a real file, float32 [patches, frames, mels]. The package scores these alone; tagscale adds the tail."""
    paths = {path.name: path for path in material.rglob("*") if path.is_file()}

    def patches(file: str) -> np.ndarray:
        logmel = log_mel(load_waveform(str(paths[file]), "full")).astype(np.float32)
        return logmel[: len(logmel) // FRAMES * FRAMES].reshape(-1, FRAMES, logmel.shape[1])

    return patches


@pytest.fixture(scope="module")
def published_scores() -> dict[str, dict[str, dict[str, float]]]:
    """Model -> file -> tag -> mean score of the package itself on librosa's log-mel."""
    file = ROOT.parent / "shared" / "fidelity" / "musicnn_scores.json"
    if not file.is_file():
        pytest.skip(NO_MATERIAL)
    return json.loads(file.read_text(encoding="utf-8"))


def _largest_difference(scores: np.ndarray, tags: Sequence[str], published: dict[str, float]) -> float:
    found = dict(zip(tags, scores.mean(axis=0), strict=True))
    assert found.keys() == published.keys()
    return max(abs(found[tag] - published[tag]) for tag in tags)


@pytest.mark.slow
def test_real_files_have_the_mean_scores_that_the_package_gives(
    import_model: ImportModel, whole_patches: Callable, published_scores: dict
) -> None:
    served = tf.saved_model.load(import_model("MTT_musicnn").saved_model).signatures
    tags = [tag.decode() for tag in served["tags"]()["tags"].numpy()]
    assert len(published_scores["MTT_musicnn"]) == 5
    for file, published in published_scores["MTT_musicnn"].items():
        patches = whole_patches(file)
        batches = np.split(patches, range(AT_ONCE, len(patches), AT_ONCE))
        scores = np.concatenate([served["patches"](patches=tf.constant(batch))["scores"] for batch in batches])
        assert _largest_difference(scores, tags, published) < TOLERANCE, file


@pytest.mark.slow
@pytest.mark.parametrize("file", ["sad.flac", "xmoto_menu_mono_cbr.mp3"])
def test_short_real_files_have_the_scores_of_the_other_model_too(
    file: str, musicnn_wheel: Path, whole_patches: Callable, published_scores: dict
) -> None:
    network = published_network("MSD_musicnn", str(musicnn_wheel))
    scores = tf.sigmoid(network.model(whole_patches(file))["logits"]).numpy()
    assert _largest_difference(scores, network.imported.vocabulary, published_scores["MSD_musicnn"][file]) < TOLERANCE
