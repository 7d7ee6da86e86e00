from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from tests.training.conftest import SmallDataset
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.data.nested_shares import nested_share
from training.fit.train import train

SHARES = (0.02, 1 / 16, 0.1, 1 / 4, 0.5, 0.9)


def _groups(sizes: list[int], seed: int = 0) -> pa.Array:
    """Tracks in random order, of groups of these sizes."""
    names = np.repeat([f"artist {number}" for number in range(len(sizes))], sizes)
    return pa.array(np.random.default_rng(seed).permutation(names))


def test_a_smaller_share_lies_in_a_larger_one_in_whole_groups() -> None:
    groups = _groups([int(size) for size in np.random.default_rng(1).geometric(0.1, 300)])
    before = np.zeros(len(groups), bool)
    for share in SHARES:
        kept = nested_share(groups, share, where="small")
        assert not (before & ~kept).any()
        inside, outside = (set(groups.filter(pa.array(side)).to_pylist()) for side in (kept, ~kept))
        assert not inside & outside
        assert kept.mean() == pytest.approx(share, abs=0.01)
        before = kept
    assert nested_share(groups, 1.0, where="small").all()


def test_a_share_follows_from_the_groups_alone_and_not_from_the_order_of_tracks() -> None:
    sizes = [3] * 40 + [1] * 50
    first, second = _groups(sizes, 0), _groups(sizes, 1)
    kept = [
        set(groups.filter(pa.array(nested_share(groups, 0.3, where="s"))).to_pylist()) for groups in (first, second)
    ]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("seed", range(5))
def test_few_groups_and_a_very_large_one_still_meet_the_share_as_nearly_as_they_can(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = [400, *(int(size) for size in rng.integers(1, 20, 40))]  # more than half of the tracks belong to one group
    groups = _groups(sizes, seed)
    for share in (1 / 16, 1 / 4):
        assert nested_share(groups, share, where="small").mean() == pytest.approx(share, abs=0.02)


def test_a_share_without_a_group_is_refused_with_the_least_that_holds_one() -> None:
    with pytest.raises(
        UserError, match=r"--train-share: expected a share that holds a group of mine@1, received 0.01.* in 4 groups"
    ) as e:
        nested_share(_groups([5, 5, 5, 5]), 0.01, where="mine@1")
    assert str(e.value).endswith("use at least 0.25")
    assert nested_share(_groups([5, 5, 5, 5]), 0.25, where="mine@1").sum() == 5


def test_only_the_training_split_shrinks_alike_for_both_families(small_dataset: SmallDataset) -> None:
    dataset = Dataset.open(small_dataset.root)
    labels = open_labels(dataset, "small")
    whole = labelled_tracks(dataset, labels, dataset.spec("logmel"), "train")
    halves = [
        labelled_tracks(dataset, labels, dataset.spec(name), "train", share=0.5) for name in ("logmel", "waveform")
    ]
    assert halves[0].track_ids == halves[1].track_ids
    assert 0 < len(halves[0]) < len(whole)
    assert set(halves[0].track_ids) < set(whole.track_ids)
    place = [whole.track_ids.index(track) for track in halves[0].track_ids]
    for name in ("targets", "offset", "shard"):
        assert np.array_equal(getattr(halves[0], name), getattr(whole, name)[place])
    artists = {int(track[-2:]) // 2 for track in halves[0].track_ids}
    assert not artists & {int(track[-2:]) // 2 for track in set(whole.track_ids) - set(halves[0].track_ids)}


def test_a_run_on_a_share_trains_on_so_many_tracks_and_keeps_the_share(
    small_config: TrainConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(small_config, epochs=1, train_share=0.5)
    summary = train(config, str(tmp_path / "run"))
    dataset = Dataset.open(config.dataset)
    labels = open_labels(dataset, "small")
    assert summary.tracks == len(labelled_tracks(dataset, labels, dataset.spec("logmel"), "train", share=0.5))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["train_share"] == 0.5
    with pytest.raises(UserError, match=r"another configuration \(train_share: 0.5 -> 1.0\)"):
        train(dataclasses.replace(config, train_share=1.0), str(tmp_path / "run"))


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="train_share: expected more than 0 and at most 1"):
        TrainConfig(dataset="d", label_set="l", frontend="spectrogram", train_share=share)
