from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from training.evaluation.stored_scores import ScoresOf, StoredScores
from training.report import confusion
from training.report.confusion import OneWay, confused_pairs

TAGS = ("voice", "vocal", "drums", "flute")


def _tracks(targets: np.ndarray, scores: np.ndarray) -> StoredScores:
    ids = tuple(str(number) for number in range(len(targets)))
    of = ScoresOf(TAGS[: targets.shape[1]], "mine@1", "test", 0.5, "abc")
    return StoredScores(of, ids, targets.astype(np.float32), scores.astype(np.float32))


def test_counts_of_a_pair_are_those_of_a_count_by_hand() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random((400, 2)) < 0.4).astype(np.float32)
    targets[rng.random((400, 2)) < 0.1] = np.nan
    high = targets[:, 0] == 1
    scores = np.stack([rng.random(400), np.where(high, 0.9, 0.1) - 0.05 * rng.random(400)], axis=1)
    (pair,) = confused_pairs(_tracks(targets, scores), {"voice": 0.5, "vocal": 0.6})
    only = (targets[:, 0] == 1) & (targets[:, 1] == 0)
    elsewhere = (targets[:, 0] != 1) & (targets[:, 1] == 0)
    assert pair.tags == ("voice", "vocal")
    assert pair.second == OneWay(only.sum(), (only & (scores[:, 1] >= 0.6)).sum(), (scores[elsewhere, 1] >= 0.6).mean())
    other = (targets[:, 1] == 1) & (targets[:, 0] == 0)
    assert (pair.first.tracks, pair.first.high) == (other.sum(), (other & (scores[:, 0] >= 0.5)).sum())
    assert pair.both == ((targets[:, 0] == 1) & (targets[:, 1] == 1)).sum()
    assert pair.rank_correlation == pytest.approx(spearmanr(scores).statistic, abs=1e-5)


def test_near_synonyms_come_first_and_tags_without_a_relation_not_at_all() -> None:
    rng = np.random.default_rng(2)
    sung, drums = rng.random(600) < 0.3, rng.random(600) < 0.3
    named = rng.random(600) < 0.5  # each listener uses one of the two words
    targets = np.stack([sung & named, sung & ~named, drums, rng.random(600) < 0.3], axis=1)
    noise = 0.2 * rng.random((600, 4))
    scores = 0.7 * np.stack([sung, sung, drums, targets[:, 3]], axis=1) + noise
    pairs = confused_pairs(_tracks(targets, scores), dict.fromkeys(TAGS, 0.5))
    assert pairs[0].tags == ("voice", "vocal")
    assert (pairs[0].second.high, pairs[0].both) == (pairs[0].second.tracks, 0)
    assert pairs[0].second.elsewhere == 0
    assert [pair.tags for pair in pairs[1:]] == []


def test_tags_that_are_ranked_alike_are_found_without_any_threshold() -> None:
    rng = np.random.default_rng(3)
    ranking = rng.random(50)
    scores = np.stack([ranking, ranking**3, rng.random(50), np.full(50, 0.5)], axis=1)
    pairs = confused_pairs(_tracks(rng.random((50, 4)), scores), {})
    assert [(pair.tags, pair.second.high) for pair in pairs] == [(("voice", "vocal"), None)]
    assert pairs[0].rank_correlation == pytest.approx(1, abs=1e-6)


def test_blocks_of_tracks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    tracks = _tracks(rng.random((100, 4)), rng.random((100, 4)) ** 0.2)
    whole = confused_pairs(tracks, dict.fromkeys(TAGS, 0.5))
    monkeypatch.setattr(confusion, "SAME_RANKING", -1.0)
    whole = confused_pairs(tracks, dict.fromkeys(TAGS, 0.5))
    monkeypatch.setattr(confusion, "_ROWS", 7)
    parts = confused_pairs(tracks, dict.fromkeys(TAGS, 0.5))
    assert [(pair.tags, pair.both, pair.second, pair.first) for pair in parts] == [
        (pair.tags, pair.both, pair.second, pair.first) for pair in whole
    ]
    assert len(whole) == 6


@pytest.mark.parametrize("tags", [1, 2])
def test_few_tags_and_few_tracks_are_no_error(tags: int) -> None:
    assert confused_pairs(_tracks(np.ones((1, tags)), np.zeros((1, tags))), dict.fromkeys(TAGS, 0.5)) == []
