"""The models have the scores of the authors' own graph for weights and inputs that follow from a formula.

golden/scores.json holds the scores of the models.py of github.com/jordipons/music-audio-tagging-at-scale-models and of that
of github.com/jordipons/musicnn; golden/generate.py wrote it.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.models.golden.formula import CASES, DENSE_UNITS, MELS, TAGS, Case, inputs, weight
from training.models.tagger import ModelConfig, build_tagger

TOLERANCE = 1e-5  # both graphs compute in float32, but sum in a different order
SCORES = json.loads((Path(__file__).parent / "golden" / "scores.json").read_text(encoding="utf-8"))

BACKEND = ["backend1", "backend2", "backend3"]
CONVOLUTIONS = {
    "spectrogram": [
        *(f"timbral_{width}x{height}" for height in (86, 38) for width in (7, 3, 1)),
        *(f"temporal_{width}" for width in (165, 128, 64, 32)),
        *BACKEND,
    ],
    "waveform": [*(f"wave{number}" for number in range(1, 8)), *BACKEND],
    "musicnn": [
        *(f"timbral_{height}" for height in (38, 67)),
        *(f"temporal_{width}" for width in (128, 64, 32)),
        *(f"middle{number}" for number in (1, 2, 3)),
    ],
    "vgg": [f"vgg{number}" for number in range(1, 6)],
}
FIRST = {"musicnn": ["input_norm"], "vgg": ["input_norm"]}
LAST = {"musicnn": ["pooled_norm", "dense", "embedding", "logits"], "vgg": ["logits"]}


def give_formula_weights(model: keras.Model, case: Case) -> None:
    """Put the formula's weights into our layers in the order in which the authors' graph makes its variables."""
    names = [f"{name}_{part}" for name in CONVOLUTIONS[case.frontend] for part in ("conv", "norm")]
    names = [*FIRST.get(case.frontend, []), *names, *LAST.get(case.frontend, ["dense", "embedding", "logits"])]
    assert sorted(names) == sorted(layer.name for layer in model.layers if layer.weights)
    number = 0
    for name in names:
        for variable in model.get_layer(name).weights:
            # A kernel of theirs may have an extra axis of length 1, which does not change the row-major order.
            values = weight(number, variable.name, tuple(variable.shape))
            if name == "pooled_norm" or (name, variable.name) == ("dense", "kernel"):
                # Their layer has the maximum and the mean of a channel next to each other; ours has all maxima first.
                values = np.concatenate([values[::2], values[1::2]])
            variable.assign(values)
            number += 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scores_are_those_of_the_authors_graph(case: Case) -> None:
    config = ModelConfig(case.frontend, num_filt=case.num_filt, dense_units=DENSE_UNITS)
    model = build_tagger(config, tags=TAGS, patch=case.length, mels=MELS)
    give_formula_weights(model, case)
    scores = keras.ops.sigmoid(model(inputs(case))["logits"])
    np.testing.assert_allclose(scores, SCORES[case.name], rtol=0, atol=TOLERANCE)
