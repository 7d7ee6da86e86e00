"""`export` writes a SavedModel for every loader, each weight once, and the same bytes from every process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

from schemas.console.errors import UserError
from schemas.dataset import Dataset
from tests.training.conftest import TAGS, Served, SmallDataset
from training.serving.export import export

ROOT = Path(__file__).parents[3]
SAVED_MODEL_CLI = Path(sys.executable).with_name("saved_model_cli")  # the environment's program, as a user runs it
both_frontends = pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])

Answers = dict[str, dict[str, np.ndarray]]  # signature -> name and value of each output


def _inputs(served: Served) -> dict[str, dict[str, np.ndarray]]:
    """Inputs for each signature: two rows of more than one patch."""
    rng = np.random.default_rng(0)
    waveform = rng.normal(scale=0.1, size=(2, 40_000)).astype(np.float32)
    inputs = {
        "serving_default": {"waveform": waveform},
        "padded": {"waveform": waveform, "samples": np.array([21_000, 40_000], np.int32)},
        "logmel": {"logmel": rng.uniform(0, 4, size=(2, 150, 96)).astype(np.float32)},
        "embed": {"waveform": waveform},
        "tags": {},
        "patches": {"patches": rng.uniform(0, 4, size=(3, *served.run.model.inputs[0].shape[1:])).astype(np.float32)},
    }
    return {name: inputs[name] for name in served.signatures}


def _loaded(served: Served) -> Answers:
    """The outputs of the model that `tf.saved_model.load` loads."""
    answers = {}
    for name, inputs in _inputs(served).items():
        outputs = served.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        answers[name] = {output: value.numpy() for output, value in outputs.items()}
    return answers


def _in_graph_session(served: Served) -> Answers:
    """The outputs of the model in a graph session; TensorFlow Serving's loader works the same way."""
    answers = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(served.model)).signature_def
        for name, inputs in _inputs(served).items():
            assert signatures[name].inputs.keys() == inputs.keys()
            fed = {signatures[name].inputs[key].name: value for key, value in inputs.items()}
            tensors = {output: tensor.name for output, tensor in signatures[name].outputs.items()}
            answers[name] = session.run(tensors, fed)
    return answers


# Runs the program once for each list of arguments on stdin, in one process: most of its time is TensorFlow's import.
AGAIN_AND_AGAIN = """
import json, runpy, sys
program = sys.argv[1]
for arguments in json.load(sys.stdin):
    sys.argv = [program, *arguments]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as ended:
        assert not ended.code, (arguments, ended.code)
"""


def _from_program(served: Served, folder: Path) -> Answers:
    """The outputs of `saved_model_cli run`."""
    runs = []
    for name, inputs in _inputs(served).items():
        out = folder / name
        out.mkdir()
        for key, value in inputs.items():
            np.save(out / f"given {key}", value)
        given = ";".join(f"{key}={out}/given {key}.npy" for key in inputs) or ";"  # required even without inputs
        options = ["--dir", str(served.model), "--tag_set", "serve", "--signature_def", name]
        runs.append(["run", *options, "--inputs", given, "--outdir", str(out)])
    command = [sys.executable, "-c", AGAIN_AND_AGAIN, str(SAVED_MODEL_CLI)]
    ended = subprocess.run(command, input=json.dumps(runs), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    answers = {}
    for name in _inputs(served):
        written = [path for path in (folder / name).iterdir() if not path.name.startswith("given")]
        answers[name] = {path.stem: np.load(path, allow_pickle=True) for path in written}  # strings are pickled
    return answers


def _require_alike(answers: Answers, expected: Answers) -> None:
    assert answers.keys() == expected.keys()
    for name, outputs in expected.items():
        assert answers[name].keys() == outputs.keys()
        for output, value in outputs.items():
            if name == "tags":
                assert list(answers[name][output]) == list(value)
            else:
                np.testing.assert_allclose(answers[name][output], value, rtol=1e-5, atol=1e-5, err_msg=name)


@both_frontends
def test_every_signature_answers_in_a_graph_session_as_when_loaded(
    frontend: str, request: pytest.FixtureRequest
) -> None:
    served: Served = request.getfixturevalue(frontend)
    _require_alike(_in_graph_session(served), _loaded(served))


@pytest.mark.slow
@both_frontends
def test_every_signature_answers_through_saved_model_cli_as_when_loaded(
    frontend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    served: Served = request.getfixturevalue(frontend)
    _require_alike(_from_program(served, tmp_path), _loaded(served))


@both_frontends
def test_the_file_holds_each_weight_once(frontend: str, request: pytest.FixtureRequest) -> None:
    served: Served = request.getfixturevalue(frontend)
    weights = served.run.model.get_weights()
    stored = dict(tf.train.list_variables(str(served.model / "variables" / "variables")))
    del stored["_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sorted(map(tuple, stored.values())) == sorted(weight.shape for weight in weights)
    size = sum(path.stat().st_size for path in (served.model / "variables").iterdir())
    assert 0 < size - sum(weight.nbytes for weight in weights) < 20_000  # names and checksums
    graph = (served.model / "saved_model.pb").read_bytes()
    assert not any(weight.tobytes() in graph for weight in weights if weight.size > 1_000)


@pytest.mark.slow
def test_every_export_of_a_run_is_the_same_bytes(small_run: str, tmp_path: Path, contents: object) -> None:
    """Also the first, for which the validation split is scored."""
    run = tmp_path / "run"
    shutil.copytree(small_run, run, ignore=shutil.ignore_patterns("evaluation"))

    def exported(seed: str) -> dict[str, str]:
        command = [sys.executable, "training/run.py", "export", "--run", run, "--out", tmp_path / seed]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ended = subprocess.run(list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr[-2000:]
        return contents(tmp_path / seed)

    first = exported("1")
    assert (run / "evaluation" / "validation_scores.parquet").exists()
    assert len(first) == 12
    assert first == exported("2")


def test_the_fingerprint_can_be_read_and_tells_models_apart(spectrogram: Served, waveform: Served) -> None:
    uuids = set()
    for served in (spectrogram, waveform):
        data = (served.model / "fingerprint.pb").read_bytes()
        fingerprint = fingerprint_pb2.FingerprintDef.FromString(data)
        assert tf.saved_model.experimental.read_fingerprint(str(served.model)) == fingerprint
        assert 0 < int(fingerprint.uuid) < 1 << 128
        uuids.add(fingerprint.uuid)
    assert len(uuids) == 2


@pytest.mark.slow
def test_it_loads_with_tensorflow_alone(spectrogram: Served, tmp_path: Path) -> None:
    program = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "print(model.signatures['serving_default'](waveform=tf.zeros([1, 20000]))['scores'].shape)\n"
        "ours = {name.split('.')[0] for name in sys.modules} & {'training', 'schemas', 'pipeline'}\n"
        "assert not ours, ours\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program, str(spectrogram.model)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == f"(1, {len(TAGS)})"


def test_the_assets_say_what_the_model_is(spectrogram: Served, small_dataset: SmallDataset) -> None:
    assets = spectrogram.model / "assets"
    assert (assets / "vocabulary.txt").read_text().splitlines() == list(TAGS)
    spec = json.loads((assets / "feature_spec.json").read_text())
    assert spec == Dataset.open(small_dataset.root).spec("logmel").to_dict()
    labels = json.loads((assets / "labels.json").read_text())
    config = json.loads((assets / "config.json").read_text())
    assert config["label_set"] == f"{labels['name']}@{labels['version']}"


def test_an_export_replaces_a_savedmodel_and_nothing_else(small_run: str, spectrogram: Served, tmp_path: Path) -> None:
    model = shutil.copytree(spectrogram.model, tmp_path / "model")
    (model / "saved_model.pb").write_bytes(b"an older one")
    export(small_run, str(model))
    assert tf.saved_model.load(str(model)).signatures.keys() == spectrogram.signatures.keys()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        UserError, match=r"expected a SavedModel to replace or an empty folder, found (model|notes\.txt)"
    ):
        export(small_run, str(tmp_path))


def test_a_run_that_never_validated_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a run"):
        export(str(tmp_path), str(tmp_path / "model"))
