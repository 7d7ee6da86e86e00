"""A model card names the network that was trained, and the publication that it comes from."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from training.models.config import Frontend
from training.models.tagger import ModelConfig, build_tagger
from training.runs.trained import TrainedRun, open_run
from training.serving.model_card import model_card
from training.serving.network_words import network_words
from training.serving.thresholds import Chosen

SOURCES = {
    "spectrogram": "arXiv:1711.02520",
    "waveform": "arXiv:1711.02520",
    "musicnn": "arXiv:1909.06654",
    "vgg": "arXiv:1909.06654",
    "short-chunk": "arXiv:2006.00751",
}
FRONTENDS = get_args(Frontend)
PATCH = {"waveform": 20_000}  # samples; frames for the others


@pytest.fixture(scope="module")
def run(small_run: str) -> TrainedRun:
    return open_run(small_run)


def with_frontend(run: TrainedRun, frontend: Frontend) -> TrainedRun:
    config = dataclasses.replace(run.config, frontend=frontend, features="", patch_seconds=3.0)
    return dataclasses.replace(run, config=config)


def introduction(run: TrainedRun) -> str:
    """What a card says before its first section, as one line."""
    card = model_card(run, Chosen(8, tuple(0.5 for _ in run.labels.vocabulary)), None)
    return " ".join(card.split("\n# ")[1].split("\n## ")[0].split())


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_a_card_names_the_network_and_its_source(run: TrainedRun, frontend: Frontend) -> None:
    words = introduction(with_frontend(run, frontend))
    assert f"This model is {network_words(frontend)}, trained on the labels small@" in words
    assert SOURCES[frontend] in words
    assert not any(source in words for source in set(SOURCES.values()) - {SOURCES[frontend]})
    assert ("Won et al." in words) == (frontend == "short-chunk")


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_a_card_says_shared_back_end_where_the_network_has_one(frontend: Frontend) -> None:
    counts = {
        build_tagger(
            ModelConfig(frontend, num_filt=1, backend_filters=filters, dense_units=4),
            tags=2,
            patch=PATCH.get(frontend, 66),
        ).count_params()
        for filters in (8, 16)
    }
    assert ("shared back-end" in network_words(frontend)) == (len(counts) == 2)


def test_a_card_of_an_ensemble_counts_its_networks(run: TrainedRun) -> None:
    members = tuple(with_frontend(run, frontend) for frontend in ("musicnn", "spectrogram", "musicnn"))
    words = introduction(dataclasses.replace(run, members=members))
    assert "3 runs as one model, whose logits are the means of theirs" in words
    assert (
        f"- 2 runs have {network_words('musicnn')} - 1 run has {network_words('spectrogram')} The model takes" in words
    )
