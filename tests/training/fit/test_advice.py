from __future__ import annotations

from typing import Any

import pytest

from training.config import TrainConfig
from training.config_sources import resolve_config
from training.fit.advice import advice

NEEDED: dict[str, Any] = {"dataset": "data", "label_set": "mine", "frontend": "spectrogram"}


@pytest.mark.parametrize(
    ("recipe", "tracks", "steps", "words"),
    [
        ("paper", 500, 1600, ["dropout 0.5 is much for 500 training tracks; try --recipe small"]),
        (
            "paper",
            500,
            320,
            ["dropout 0.5 is much", "follow slowly with momentum 0.99 in 320 steps; try --recipe small"],
        ),
        ("paper", 100_000, 312_500, []),
        ("paper", 1_200_000, 3_750_000, ["3,750,000 steps take long; try --recipe large"]),
        ("small", 500, 320, []),
        ("small", 500, 4, []),
        ("large", 1_200_000, 300_000, []),
    ],
)
def test_a_recipe_that_does_not_fit_is_named_with_what_to_try(
    recipe: str, tracks: int, steps: int, words: list[str]
) -> None:
    lines = list(advice(resolve_config(None, NEEDED, recipe=recipe), tracks, steps))
    assert len(lines) == len(words)
    assert all(part in line for part, line in zip(words, lines, strict=True))


def test_what_is_advised_is_not_advised_again() -> None:
    few = {**NEEDED, "dropout": 0.2, "recalibrate_batch_norm": True}
    assert not list(advice(TrainConfig(**few), 500, 320))


def test_each_part_of_a_batch_counts_for_the_moving_statistics() -> None:
    whole, parts = (TrainConfig(**NEEDED, dropout=0.2, accumulate=count) for count in (1, 4))
    assert len(list(advice(whole, 500, 320))) == 1
    assert not list(advice(parts, 500, 320))
