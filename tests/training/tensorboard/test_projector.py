from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from schemas.patches import cut, patch_starts
from training.data.labels import labelled_tracks
from training.data.records import TrackRecords, as_float
from training.runs.trained import open_run
from training.tensorboard import projector
from training.tensorboard.projector import TrackEmbedding, chosen_tracks, embed_tracks, write_embedding


def _read(folder: Path) -> tuple[ProjectorConfig, np.ndarray, list[list[str]]]:
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (info,) = config.embeddings
    with open(folder / info.metadata_path, newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return config, np.loadtxt(folder / info.tensor_path, ndmin=2, delimiter="\t"), rows


def _embedding(track_ids: list[str], targets: list[list[float]], vocabulary: tuple[str, ...]) -> TrackEmbedding:
    values = np.arange(len(track_ids) * 4, dtype=np.float32).reshape(-1, 4) / 7
    return TrackEmbedding(track_ids, values, np.array(targets, np.float32), vocabulary, 0.5, of=90, epoch=3)


def test_every_point_has_its_row_with_its_id_and_its_tags(tmp_path: Path) -> None:
    targets = [[1, 0, 1], [np.nan, 0, 0], [1, 0, 0.4]]
    write_embedding(str(tmp_path), _embedding(["one", "two", "three"], targets, ("rock", "never", "drums")))
    config, values, rows = _read(tmp_path)
    assert values == pytest.approx(np.arange(12).reshape(3, 4) / 7, rel=1e-3)
    assert list(config.embeddings[0].tensor_shape) == [3, 4]
    assert config.embeddings[0].tensor_name == "validation tracks, epoch 3 (3 of 90)"
    assert rows == [
        ["track_id", "tags", "rock", "drums"],
        ["one", "rock | drums", "yes", "yes"],
        ["two", "", "unknown", "no"],
        ["three", "rock", "yes", "no"],
    ]


def test_names_with_tabs_and_line_breaks_stay_in_their_cell(tmp_path: Path) -> None:
    write_embedding(str(tmp_path), _embedding(["a\tb\nc\r\u2028d\x85e"], [[1.0]], ("x\ty\n",)))
    _, _, rows = _read(tmp_path)
    assert rows == [["track_id", "tags", "x y "], ["a b c  d e", "x y ", "yes"]]
    assert len((tmp_path / "embedding_metadata.tsv").read_text().splitlines()) == 2


def test_some_of_many_tracks_are_chosen_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_tracks(5).tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr(projector, "POINTS", 5)
    assert chosen_tracks(1).tolist() == [0]
    assert chosen_tracks(6).tolist() == [0, 1, 2, 4, 5]
    assert np.diff(chosen_tracks(1_000_001)).tolist() == [250_000] * 4


def test_a_track_is_the_mean_embedding_of_its_patches(small_run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    run = open_run(small_run)
    records = TrackRecords(run.dataset, labelled_tracks(run.dataset, run.labels, run.spec, "validation"))
    monkeypatch.setattr(projector, "POINTS", 3)
    embedding = embed_tracks(
        run.model,
        records,
        run.labels.vocabulary,
        patch=run.config.patch,
        batch_size=4,
        positive_at=0.5,
        epoch=run.state.best_epoch,
    )
    numbers = chosen_tracks(len(records.tracks))
    assert embedding.values.shape == (3, run.config.dense_units)
    assert embedding.of == len(records.tracks) > 3
    for place, number in enumerate(numbers.tolist()):
        logmel = as_float(records.read(number))
        patches = np.stack([cut(logmel, int(s), run.config.patch) for s in patch_starts(len(logmel), run.config.patch)])
        expected = keras.ops.convert_to_numpy(run.model(patches, training=False)["embedding"]).mean(axis=0)
        np.testing.assert_allclose(embedding.values[place], expected, rtol=1e-5, atol=1e-5)
        assert embedding.track_ids[place] == records.tracks.track_ids[number]
