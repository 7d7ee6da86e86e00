from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainConfig
from training.fit.budget import Budget, Patience
from training.fit.plateau import after_validation
from training.runs.checkpoints import LoopState

# The authors' own trainings; see the file for source and licence.
LOGS = json.loads((Path(__file__).parent / "published_train_logs.json").read_text("utf-8"))

# The logs have six digits, and these costs equal the best one before them. Ties after which the rate was halved later than
# if they counted as no better: the whole number must have been lower. (826 would do as well as 798.)
LOWER_THAN_LOGGED = {"MSD_musicnn": (689, 704, 728, 798)}


def _config(**fields: Any) -> TrainConfig:
    return TrainConfig(dataset="data", label_set="mine", frontend="spectrogram", **fields)


def test_a_plateau_is_counted_in_epochs_and_starts_again_once_it_is_over() -> None:
    state, factors = LoopState(), []
    for loss in (1.0, 0.9, 0.95, 0.9, 0.91, 0.92, 0.8):
        state = after_validation(_config(), state, loss, Patience(2, 4))
        factors.append(state.rate_factor)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert (state.plateau_best, state.plateau_wait) == (0.8, 0)


def test_a_result_that_is_no_number_is_neither_better_nor_the_one_to_beat() -> None:
    state = after_validation(_config(), LoopState(), float("nan"), Patience(2, 4))
    assert (state.plateau_best, state.plateau_wait) == (None, 2)
    assert after_validation(_config(), state, 1.0, Patience(2, 4)).plateau_best == 1.0


def test_a_cosine_is_not_halved_on_plateaus() -> None:
    cosine = _config(schedule="cosine")
    assert after_validation(cosine, LoopState(plateau_best=0.5), 1.0, Patience(1, 1)).rate_factor == 1


def _rates(config: TrainConfig, costs: list[float]) -> list[list[float]]:
    """The epochs from which a learning rate holds, and the rates, as in the logs."""
    state, rates = LoopState(), [[1, config.learning_rate]]
    for epoch, cost in enumerate(costs, start=1):
        state = after_validation(config, state, cost, Budget(config, epoch_steps=1).patience(state))
        rate = float(f"{config.learning_rate * state.rate_factor:g}")
        if rate != rates[-1][1]:
            rates.append([epoch + 1, rate])
    return rates


@pytest.mark.parametrize("name", ["MTT_musicnn", "MTT_vgg", "MSD_musicnn", "MSD_vgg"])
def test_the_published_rule_has_the_learning_rates_of_the_authors_trainings(name: str) -> None:
    log = LOGS[name]
    costs = list(log["costs"])
    for epoch in LOWER_THAN_LOGGED.get(name, ()):
        assert costs[epoch - 1] == min(costs[:epoch])
        costs[epoch - 1] -= 1e-9
    assert _rates(_config(plateau_rule="published"), costs) == log["rates"]


def test_the_usual_rule_would_have_kept_their_rate_for_most_of_the_training() -> None:
    rates = {name: _rates(_config(), LOGS[name]["costs"]) for name in ("MTT_musicnn", "MSD_musicnn")}
    assert [epoch for epoch, _ in rates["MTT_musicnn"]] == [1, 379, 475, 550]
    assert len(rates["MSD_musicnn"]) == 2


def test_the_published_rule_counts_each_validation_for_its_epochs() -> None:
    state, factors = LoopState(), []
    for loss in (1.0, 1.1, 0.9, 1.0, 0.8, 0.7, 0.9):
        state = after_validation(_config(plateau_rule="published"), state, loss, Patience(2, 4))
        factors.append(state.rate_factor)
    assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.5]
    assert (state.plateau_best, state.plateau_wait) == (0.7, 2)
