from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from schemas.storage.checksums import with_checksum
from tests.training.conftest import SmallDataset
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords
from training.evaluation.scoring import TrackScorer
from training.fit.init_from import best_sha256, resolve_init_from, start_from
from training.fit.train import train
from training.runs.build_model import build_model, features_of
from training.runs.checkpoints import BEST_NAME, model_variables
from training.runs.run_folder import RunFolder
from training.runs.trained import open_run

Lay = Callable[..., str]


@pytest.fixture
def week(small_dataset: SmallDataset, small_run: str, tmp_path: Path) -> tuple[SmallDataset, str, Lay]:
    """A copy of the dataset for further labels, a run that was trained on it, and a function that lays labels."""
    dataset = small_dataset.copy(tmp_path / "small")
    run = Path(shutil.copytree(small_run, tmp_path / "last week"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(with_checksum({**config, "dataset": dataset.root})))

    def lay(text: str, split: str | None = None) -> str:
        (dataset.folder / "new.yaml").write_text(text)
        laid = lay_labels(
            dataset.root, [str(dataset.folder / "annotations.csv")], str(dataset.folder / "new.yaml"), split
        )
        return f"{laid.name}@{laid.version}"

    return dataset, str(run), lay


def _config(small_config: TrainConfig, dataset: SmallDataset, **fields: object) -> TrainConfig:
    return dataclasses.replace(small_config, dataset=dataset.root, **fields)  # type: ignore[arg-type]


def _grown(dataset: SmallDataset, lay: Lay) -> str:
    """Lays labels whose tags are in another order; one is renamed and two are new."""
    with open(dataset.folder / "annotations.csv", "a") as file:
        file.writelines(f"track-{number:02d},{tag}\n" for number in range(0, 36, 2) for tag in ("even", "also even"))
    return lay("name: new\ntags: [even, tremolo, also even, bass, hiss]\nmerge: {hiss: [noise]}\n")


def test_common_tags_score_as_the_other_run_did_before_the_first_step(
    small_config: TrainConfig, week: tuple[SmallDataset, str, Lay]
) -> None:
    dataset, run, lay = week
    config = _config(small_config, dataset, label_set=_grown(dataset, lay), init_from=run, seed=5)
    opened = Dataset.open(dataset.root)
    labels, spec = open_labels(opened, config.label_set), features_of(opened, config)
    config = resolve_init_from(config, "nowhere", spec, labels)
    model = build_model(config, len(labels.vocabulary), spec)
    fresh = {name: np.array(weight) for name, weight in model_variables(model).items()}
    summary = start_from(model, config, spec, labels.vocabulary)
    assert (summary.taken, summary.new, summary.dropped) == (
        ("tremolo", "bass"),
        ("even", "also even", "hiss"),
        ("noise",),
    )

    other = open_run(run)
    records = TrackRecords(opened, labelled_tracks(opened, other.labels, spec, "test"))
    before, after = (TrackScorer(one, config.patch).scores(records) for one in (other.model, model))
    places = [(other.labels.vocabulary.index(tag), labels.vocabulary.index(tag)) for tag in summary.taken]
    for old, new in places:
        # The weights are the same bits, see below, but a head of another width may be multiplied in another order.
        np.testing.assert_allclose(after[:, new], before[:, old], rtol=1e-6)

    # New tags start with the values of this run's own initializer; everything else, including batch norm's statistics,
    # comes from the other run.
    theirs = {name: np.array(weight) for name, weight in model_variables(other.model).items()}
    for name, weight in model_variables(model).items():
        values = np.array(weight)
        if "/logits/" in name:
            for tag in summary.new:
                place = labels.vocabulary.index(tag)
                assert np.array_equal(values[..., place], fresh[name][..., place])
        else:
            assert np.array_equal(values, theirs[name])
    assert any("moving_mean" in name and np.any(theirs[name] != fresh[name]) for name in theirs)


@pytest.mark.slow
def test_a_run_starts_once_and_resumes_from_its_own_checkpoint(
    small_config: TrainConfig, week: tuple[SmallDataset, str, Lay], tmp_path: Path
) -> None:
    dataset, run, lay = week
    config = _config(small_config, dataset, label_set=_grown(dataset, lay), init_from=run)
    undisturbed, stopped = str(tmp_path / "undisturbed"), str(tmp_path / "stopped")
    begun = train(config, undisturbed)
    assert begun.started_from is not None
    assert begun.started_from.taken == ("tremolo", "bass")
    assert RunFolder(undisturbed).read_config().init_from_sha256 == best_sha256(run)
    train(dataclasses.replace(config, epochs=1), stopped)
    shutil.rmtree(run)  # it is no longer needed
    assert train(config, stopped).started_from is None
    states = [
        json.loads(Path(one, "checkpoints", BEST_NAME, "state.json").read_text()) for one in (undisturbed, stopped)
    ]
    assert states[0]["sha256"] == states[1]["sha256"]


@pytest.mark.slow
def test_a_run_that_changed_since_is_noticed(
    small_config: TrainConfig, week: tuple[SmallDataset, str, Lay], tmp_path: Path
) -> None:
    dataset, run, _ = week
    config = _config(small_config, dataset, init_from=run, epochs=1)
    out = str(tmp_path / "run")
    train(config, out)
    recorded = RunFolder(out).read_config()
    state = Path(run, "checkpoints", BEST_NAME, "state.json")
    state.write_text(json.dumps(with_checksum({**json.loads(state.read_text()), "sha256": "0" * 64})))
    with pytest.raises(UserError, match=r"another configuration \(init_from_sha256: \w+ -> 0000"):
        train(dataclasses.replace(config, epochs=2), out)
    with pytest.raises(UserError, match="it has been trained further"):
        train(recorded, str(tmp_path / "again"))
    assert train(recorded, out).trained_steps == 0  # the recorded configuration still fits, and training is complete


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"frontend": "waveform", "patch_seconds": 1.5}, r"\(frontend: spectrogram -> waveform\)"),
        ({"num_filt": 2, "dense_units": 8}, r"\(dense_units: 16 -> 8; num_filt: 1 -> 2\)"),
        ({"residual_batch_norm": "per_channel"}, r"\(residual_batch_norm: scalar -> per_channel\)"),
    ],
)
def test_another_network_is_refused_with_what_differs(
    small_config: TrainConfig, small_run: str, tmp_path: Path, fields: dict[str, object], words: str
) -> None:
    config = dataclasses.replace(small_config, init_from=small_run, **fields)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"its network is different {words}"):
        train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_run_without_common_tags_or_without_weights_is_refused(
    small_config: TrainConfig, week: tuple[SmallDataset, str, Lay], tmp_path: Path
) -> None:
    dataset, run, lay = week
    foreign = lay("name: foreign\ntags: [hiss]\nmerge: {hiss: [noise]}\n")
    out = str(tmp_path / "run")
    with pytest.raises(UserError, match=r"has none of the tags of this run \(hiss…\), only bass, noise, tremolo"):
        train(_config(small_config, dataset, label_set=foreign, init_from=run), out)
    with pytest.raises(UserError, match=r"expected a run, found no config\.json"):
        train(_config(small_config, dataset, init_from=str(tmp_path / "none")), str(tmp_path / "other"))
    shutil.rmtree(Path(run, "checkpoints"))
    with pytest.raises(UserError, match="--init-from .*: has no validated epoch yet"):
        train(_config(small_config, dataset, init_from=run), str(tmp_path / "other"))
    assert not Path(out).exists()
    assert not (tmp_path / "other").exists()


def test_a_run_that_was_trained_on_this_ones_test_tracks_is_refused(
    week: tuple[SmallDataset, str, Lay], small_config: TrainConfig, tmp_path: Path
) -> None:
    dataset, run, lay = week
    make_split(Dataset.open(dataset.root), "other", SplitMethod((20, 30, 50)))
    config = _config(small_config, dataset, label_set=lay("name: new\n", "other"), init_from=run)
    words = r"last week: was trained or chosen by \d+ validation tracks and \d+ test tracks of this run.*\(default\)"
    with pytest.raises(UserError, match=words):
        train(config, str(tmp_path / "next"))
    assert not (tmp_path / "next").exists()
