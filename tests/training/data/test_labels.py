from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import existing_split, make_split
from pipeline.run import cli
from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from schemas.storage.checksums import with_checksum
from schemas.tables import SPLITS
from tests.training.conftest import TAGS, TRACKS, SmallDataset, sound_of
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.fit.train import train


def test_every_track_is_in_one_split_with_the_tags_that_it_was_annotated_with(small_dataset: SmallDataset) -> None:
    dataset = Dataset.open(small_dataset.root)
    labels = open_labels(dataset, "small")
    assert labels.vocabulary == TAGS
    seen: dict[str, list[str]] = {}
    for split in SPLITS:
        tracks = labelled_tracks(dataset, labels, dataset.spec("logmel"), split)
        for track_id, targets in zip(tracks.track_ids, tracks.targets, strict=True):
            seen[track_id] = [tag for tag, target in zip(TAGS, targets, strict=True) if target == 1]
    assert seen == {f"track-{number:02d}": sound_of(number)[1] for number in range(TRACKS)}


def test_artists_never_straddle_two_splits(small_dataset: SmallDataset) -> None:
    dataset = Dataset.open(small_dataset.root)
    labels = open_labels(dataset, "small")
    artists = [
        {int(track[-2:]) // 2 for track in labelled_tracks(dataset, labels, dataset.spec("logmel"), split).track_ids}
        for split in SPLITS
    ]
    assert not (artists[0] & artists[1] or artists[0] & artists[2] or artists[1] & artists[2])


def test_an_unknown_label_set_or_version_is_named_with_what_there_is(small_dataset: SmallDataset) -> None:
    dataset = Dataset.open(small_dataset.root)
    with pytest.raises(UserError, match="'smal'.*there are small"):
        open_labels(dataset, "smal")
    with pytest.raises(UserError, match="small@000000000000: no such version"):
        open_labels(dataset, "small@000000000000")


def test_labels_of_another_dataset_are_refused(small_dataset: SmallDataset, tmp_path: Path) -> None:
    foreign = small_dataset.copy(tmp_path / "foreign")
    shutil.rmtree(Path(foreign.root))
    build(str(foreign.folder / "catalog.csv"), foreign.root, BuildOptions(workers=1, shards=3, limit=20))
    shutil.copytree(Path(small_dataset.root) / "labels", Path(foreign.root) / "labels")
    with pytest.raises(UserError, match="another dataset's tracks"):
        open_labels(Dataset.open(foreign.root), "small")


@pytest.mark.parametrize(
    ("ratios", "empty", "words"),
    [
        ((0, 0, 100), "train", r"has no train track, .*; make a split that has some: "),
        ((90, 0, 10), "validation", r"has no validation track, .*; make a split that has some: "),
        ((90, 10, 0), "test", r"has no test track, .*; use another side \(--split validation\), or make a split"),
    ],
)
def test_a_side_without_tracks_says_how_to_make_another_split(
    small_dataset: SmallDataset,
    small_config: TrainConfig,
    tmp_path: Path,
    ratios: tuple[float, float, float],
    empty: str,
    words: str,
) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    dataset = Dataset.open(copy.root)
    make_split(dataset, "some", SplitMethod(ratios))
    lay_labels(copy.root, [str(copy.folder / "annotations.csv")], str(copy.folder / "small.yaml"), "some")
    with pytest.raises(UserError, match=words) as refused:
        labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), empty)
    if empty != "test":
        with pytest.raises(UserError, match=words):
            train(dataclasses.replace(small_config, dataset=copy.root), str(tmp_path / "run"))
        assert not (tmp_path / "run").exists()
    command = re.search(r"`\S+ -m pipeline.run (split [^`]+)`", str(refused.value)).group(1)
    assert CliRunner().invoke(cli, shlex.split(command)).exit_code == 0
    assert min(existing_split(dataset, f"some-{empty}").counts[side] for side in SPLITS) > 0


def test_a_table_that_lost_rows_is_found(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    folder = next(path for path in Path(copy.root, "labels", "small").iterdir() if path.is_dir())
    fields = json.loads((folder / "labels.json").read_text())
    fields["counts"]["tracks"] += 1
    (folder / "labels.json").write_text(json.dumps(with_checksum(fields)))
    with pytest.raises(
        DatasetError, match=rf"holds {TRACKS} tracks and 3 tags .*its manifest says {TRACKS + 1} and 3; lay the same"
    ):
        open_labels(Dataset.open(copy.root), "small")


def test_unknown_and_graded_values_reach_the_targets(small_dataset: SmallDataset, tmp_path: Path) -> None:
    copy = small_dataset.copy(tmp_path / "copy")
    (copy.folder / "graded.csv").write_text(
        "track_id,tag,value\ntrack-00,bass,0.25\ntrack-01,bass,\ntrack-02,noise,1\ntrack-02,bass,0.9\n"
    )
    for missing, default in (("negative", 0.0), ("unknown", np.nan)):
        (copy.folder / "graded.yaml").write_text(
            f"name: {missing}\ntags: [bass, noise]\nvalues: graded\nmissing: {missing}\n"
        )
        lay_labels(copy.root, [str(copy.folder / "graded.csv")], str(copy.folder / "graded.yaml"))
        dataset = Dataset.open(copy.root)
        labels = open_labels(dataset, missing)
        rows = {
            track: targets.tolist()
            for split in SPLITS
            for tracks in [labelled_tracks(dataset, labels, dataset.spec("logmel"), split)]
            for track, targets in zip(tracks.track_ids, tracks.targets, strict=True)
        }
        expected = {
            "track-00": [0.25, default],
            "track-01": [np.nan, default],
            "track-02": [0.9, 1.0],
            "track-03": [default, default],
        }
        for track, values in expected.items():
            assert rows[track] == pytest.approx(values, nan_ok=True)


def test_tracks_removed_since_are_left_out_and_counted(small_dataset: SmallDataset, tmp_path: Path) -> None:
    from pipeline.removal.remove import remove

    copy = small_dataset.copy(tmp_path / "copy")
    dataset = Dataset.open(copy.root)
    labels = open_labels(dataset, "small")
    before = labelled_tracks(dataset, labels, dataset.spec("logmel"), "train")
    (tmp_path / "gone.txt").write_text(f"{before.track_ids[0]}\n{before.track_ids[3]}\n")
    remove(copy.root, str(tmp_path / "gone.txt"), purge=True)
    after = labelled_tracks(dataset, labels, dataset.spec("logmel"), "train")
    assert (len(after), after.removed, before.removed) == (len(before) - 2, 2, 0)
    assert not {before.track_ids[0], before.track_ids[3]} & set(after.track_ids)


@pytest.fixture
def copy(small_dataset: SmallDataset, tmp_path: Path) -> SmallDataset:
    """A copy from which tracks may be removed."""
    return small_dataset.copy(tmp_path / "copy")


@pytest.fixture
def run(copy: SmallDataset, small_config: TrainConfig, tmp_path: Path) -> str:
    """A run that was trained on the copy."""
    out = str(tmp_path / "run")
    train(dataclasses.replace(small_config, dataset=copy.root, epochs=1), out)
    return out


def test_a_removal_names_the_runs_that_held_its_tracks(copy: SmallDataset, run: str, tmp_path: Path) -> None:
    from pipeline.removal.remove import remove

    (tmp_path / "gone.txt").write_text("track-03\n")
    assert run in remove(copy.root, str(tmp_path / "gone.txt")).runs


def test_an_evaluation_leaves_out_what_was_removed_since_and_says_so(
    copy: SmallDataset, run: str, tmp_path: Path
) -> None:
    from pipeline.removal.remove import remove
    from training.evaluation.evaluate import evaluate

    before = evaluate(run)
    dataset = Dataset.open(copy.root)
    test = labelled_tracks(dataset, open_labels(dataset, "small"), dataset.spec("logmel"), "test")
    (tmp_path / "gone.txt").write_text(f"{test.track_ids[0]}\n")
    remove(copy.root, str(tmp_path / "gone.txt"), purge=True)
    after = evaluate(run)
    assert (before.removed, after.removed, after.tracks) == (0, 1, before.tracks - 1)
    assert json.loads(Path(run, "evaluation", "test.json").read_text())["tracks_removed"] == 1
