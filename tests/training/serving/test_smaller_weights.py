"""A LiteRT model with smaller weights is smaller, and says what that costs on the validation tracks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from sklearn.metrics import average_precision_score

import training.forms.tflite_file
import training.serving.smaller_weights
from schemas.console.errors import UserError
from schemas.model_forms import FORMS, Weights
from tests.training.conftest import Served
from training.config import TrainConfig
from training.data.label_mapping import map_labels
from training.data.records import as_float
from training.evaluation.scoring import TrackScorer
from training.evaluation.split_scores import split_tracks, staged_records
from training.fit.train import train
from training.forms.tflite_file import lite_scorer
from training.models.plain_layers import in_plain_layers
from training.runs.trained import open_run
from training.serving.export import export
from training.serving.smaller_weights import spread
from training.serving.thresholds import validation_scores

FARTHEST: dict[Weights, float] = {"float16": 5e-3, "int8": 0.1}  # of a score, some three times what was measured


@pytest.fixture(scope="module")
def wide(small_config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A run with a back-end of the published width: in smaller files the weights are not most of the bytes."""
    root = str(tmp_path_factory.mktemp("wide") / "run")
    train(dataclasses.replace(small_config, epochs=1, backend_filters=512), root)
    return Served(open_run(root), Path(root), {})


def _shapes(model: Path, kind: type) -> set[tuple[int, ...]]:
    """Shapes of a file's tensors of a type."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # delegates add tensors of their own
    opened = Interpreter(str(model), experimental_op_resolver_type=plain)
    tensors = [one for part in range(opened.num_subgraphs()) for one in opened.get_tensor_details(part)]
    return {tuple(one["shape"].tolist()) for one in tensors if one["dtype"] is kind}


@pytest.mark.slow
def test_a_file_is_smaller_and_its_card_says_what_that_costs(
    wide: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.serving.smaller_weights, "MOST_PATCHES", 16)
    summary = export(wide.run.folder.root, str(tmp_path), "tflite", weights="int8")
    size = (tmp_path / "model.tflite").stat().st_size
    assert 0.9 < size / wide.run.model.count_params() < 1.2
    filterbank, small = {(96, 257), (257, 96)}, _shapes(tmp_path / "model.tflite", np.int8)
    assert (512, 1, 7, 512) in small
    assert not small & filterbank
    assert _shapes(tmp_path / "model.tflite", np.float32) & filterbank

    run, cost = wide.run, summary.weights
    assert cost is not None
    assert (cost.weights, cost.of_tracks) == ("int8", 8)
    assert 2 <= cost.tracks < 8
    stored, taken = validation_scores(run), spread(8)[: cost.tracks]
    targets = stored.targets[taken] > 0.5
    defined = [tag for tag in range(targets.shape[1]) if 0 < targets[:, tag].sum() < len(taken)]
    areas = [average_precision_score(targets[:, tag], stored.scores[taken, tag]) for tag in defined]
    assert cost.before == pytest.approx(np.mean(areas))
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "The weights of this model are int8" in card
    assert f"the PR-AUC (macro) is {cost.after:.3f} with the smaller weights and {cost.before:.3f} without" in card

    # The file scores a track's sound as the run's own network scores its stored features.
    own = map_labels(run.labels, run.labels)
    logmel = staged_records(run, split_tracks(run, own, "train", run.spec)[0], None)
    expected = TrackScorer(run.model, run.config.patch).scores(logmel, range(4))
    sounds = wide.records("waveform")
    model = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner()
    found = [model(waveform=as_float(sounds.read(number))[np.newaxis])["scores"][0] for number in range(4)]
    assert 1e-7 < np.abs(np.array(found) - expected).max() < FARTHEST["int8"]


@pytest.mark.slow
def test_float16_weights_move_scores_less(wide: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    inner = training.forms.tflite_file._converted

    def spy(*given: object) -> bytes:
        data = inner(*given)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(training.forms.tflite_file, "_converted", spy)
    model = wide.run.model
    patches = np.random.default_rng(0).uniform(0, 3, (4, 63, 96)).astype(np.float32)
    found = lite_scorer(in_plain_layers(model), "float16")(patches)
    expected = tf.sigmoid(model(patches, training=False)["logits"]).numpy()
    assert np.abs(found - expected).max() < FARTHEST["float16"]
    assert 1.8 < sizes[0] / model.count_params() < 2.4


def test_every_beginning_of_the_order_of_tracks_lies_all_over_them() -> None:
    order = spread(1000)
    assert sorted(order) == list(range(1000))
    for count in (10, 30, 100, 300):
        gaps = np.diff(sorted([-1, *order[:count], 1000]))
        assert gaps.max() <= 3 * 1000 / count


def test_weights_are_refused_for_other_forms(tmp_path: Path) -> None:
    for form in set(FORMS) - {"tflite"}:
        with pytest.raises(
            UserError, match=f"--weights int8: expected only with --format tflite, received {form}; leave"
        ):
            export(str(tmp_path / "none"), str(tmp_path / "model"), form, weights="int8")
    with pytest.raises(UserError, match="--weights: expected one of float32, float16, int8, received 'int4'"):
        export(str(tmp_path / "none"), str(tmp_path / "model"), "tflite", weights="int4")  # type: ignore[arg-type]
