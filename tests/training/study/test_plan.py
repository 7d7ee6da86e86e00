from __future__ import annotations

from typing import Any

import pytest

from schemas.console.errors import UserError
from training.config import TrainConfig
from training.study.plan import STOP_EPOCHS, make_plan, parse_shares, study_config


def _config(**fields: Any) -> TrainConfig:
    needed: dict[str, Any] = {"dataset": "data", "label_set": "mine", "frontend": "spectrogram"}
    return TrainConfig(**{**needed, **fields})


def test_every_training_may_take_as_many_steps_and_is_validated_as_often() -> None:
    config = _config(epochs=10, stop_epochs=3, plateau_epochs=5, validate_every=2)
    for run in make_plan(config, "1/16,1/3,1", 1, "spectrogram,waveform").runs():
        one = run.config
        counted = (one.epochs, one.stop_epochs, one.plateau_epochs, one.validate_every)
        assert [share * one.train_share for share in counted] == pytest.approx([10, 3, 5, 2], abs=1e-9)
    never = make_plan(_config(stop_epochs=0), "1/4", 1, "waveform").runs()
    assert [run.config.stop_epochs for run in never] == [0]


def test_what_counts_steps_is_the_same_for_every_share() -> None:
    in_steps = {"max_steps": 900, "validate_every_steps": 90, "stop_steps": 270}
    for run in make_plan(_config(**in_steps), "1/16,1", 1, "waveform").runs():
        assert {name: getattr(run.config, name) for name in in_steps} == in_steps
        assert (run.config.epochs, run.config.validate_every, run.config.stop_epochs) == (0, 1, 0)
        assert run.config.plateau_epochs * run.config.train_share == 75  # as long as 75 epochs of the whole split
    needed = {"dataset": "data", "label_set": "mine", "stop_epochs": None}
    assert study_config(None, {**needed, **in_steps}, "waveform").stop_epochs == 0
    assert study_config(None, {**needed, "max_steps": 900}, "waveform").stop_epochs == STOP_EPOCHS


def test_a_plan_names_its_runs_by_front_end_share_and_seed_small_shares_first() -> None:
    plan = make_plan(_config(seed=7), "1, 1/16", 2, "spectrogram,waveform")
    assert [run.name for run in plan.runs()] == [
        f"{frontend}-{share}-seed{seed}"
        for share in ("0.0625", "1")
        for seed in (7, 8)
        for frontend in ("spectrogram", "waveform")
    ]
    for run in plan.runs():
        assert run.name == f"{run.config.frontend}-{run.config.train_share:g}-seed{run.config.seed}"


def test_features_that_were_named_go_to_their_own_front_end() -> None:
    plan = make_plan(_config(features="logmel-0123456789ab"), "1", 1, "spectrogram,waveform")
    assert [run.config.features for run in plan.runs()] == ["logmel-0123456789ab", ""]


def test_each_front_end_has_the_published_width_unless_another_is_chosen() -> None:
    def widths(config: TrainConfig) -> list[int]:
        return [run.config.dense_units for run in make_plan(config, "1", 1, "spectrogram,musicnn").runs()]

    assert widths(_config()) == [500, 200]
    assert widths(_config(dense_units=64)) == [64, 64]


def test_a_study_stops_early_unless_the_file_or_the_command_line_says_otherwise(tmp_path: Any) -> None:
    (tmp_path / "c.yaml").write_text("dataset: data\nlabel_set: mine\nstop_epochs: 0\n")
    needed = {"dataset": "data", "label_set": "mine", "stop_epochs": None}
    file, frontends = str(tmp_path / "c.yaml"), "spectrogram,waveform"
    assert study_config(None, needed, frontends).stop_epochs == STOP_EPOCHS
    assert study_config(file, {"stop_epochs": None}, frontends).stop_epochs == 0
    assert study_config(file, {"stop_epochs": 4}, frontends).stop_epochs == 4


def test_a_study_with_a_cosine_does_not_stop_early_by_itself() -> None:
    cosine = {"dataset": "data", "label_set": "mine", "schedule": "cosine"}
    assert study_config(None, {**cosine, "stop_epochs": None}, "waveform").stop_epochs == 0
    with pytest.raises(UserError, match="--stop-epochs: a cosine ends with the last epoch, received 3"):
        study_config(None, {**cosine, "stop_epochs": 3}, "waveform")


@pytest.mark.parametrize("text", ["", "0", "2", "-1/2", "1/0", "half", "1/4,0.25", "1/4,,1"])
def test_invalid_and_repeated_shares_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--shares: expected"):
        parse_shares(text)


def test_what_cannot_be_studied_is_refused() -> None:
    with pytest.raises(UserError, match="--seeds: expected at least 1, received 0"):
        make_plan(_config(), "1", 0, "waveform")
    with pytest.raises(
        UserError,
        match="--frontends: expected spectrogram or waveform or musicnn or vgg or short-chunk, .*received 'mel'",
    ):
        make_plan(_config(), "1", 1, "mel")
    with pytest.raises(UserError, match="--frontends: expected each one once"):
        make_plan(_config(), "1", 1, "waveform,waveform")
    with pytest.raises(UserError, match="init_from: a study trains from fresh weights"):
        make_plan(_config(init_from="run"), "1", 1, "waveform")
    with pytest.raises(UserError, match="this waveform model needs at least 1.23"):
        make_plan(_config(patch_seconds=1.0), "1", 1, "spectrogram,waveform")
