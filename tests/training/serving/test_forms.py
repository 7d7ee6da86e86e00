"""Every form of a model has the scores and the embedding of one reference, for any signal.

The reference is the trained Keras model on patches of log-mel that numpy computes, cut by `schemas.patches`. Each tolerance
is some ten times what was measured; that of bfloat16 is twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import soundfile
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from pipeline.audio.logmel import logmel_blocks
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from schemas.console.errors import UserError
from schemas.features import INT16_SCALE, LogMelSpec
from schemas.patches import cut, patch_starts
from tests.training.conftest import TAGS, Served, SmallDataset, compiled_graphs
from tests.warm_commands import run_warm
from training.data.records import as_float
from training.serving.export import export
from training.serving.saved_model import SavedModel

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "export.md"
SAVED_MODEL_CLI = Path(sys.executable).with_name("saved_model_cli")
both_frontends = pytest.mark.parametrize("served", ["spectrogram", "waveform"], indirect=True)

Outputs = dict[str, np.ndarray]  # `scores` and `embedding` of one signal
Form = Callable[[np.ndarray], Outputs]  # float32 [samples] ->

# Largest difference of a score, and of a value of the embedding relative to the largest one.
FLOAT32 = 1e-5
LITERT = 1e-4
BFLOAT16 = 0.03
STORED = 2e-3  # log-mel as stored, in float16


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


@functools.cache
def _exported(run: str, folder: Path, form: str, precision: str | None = None) -> Path:
    out = folder / f"{form}-{precision}"
    with compiled_graphs():
        export(run, str(out), form, precision)  # type: ignore[arg-type]
    return out


@pytest.fixture(scope="module")
def exported(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folder of a form of the model, which is exported once."""
    return functools.partial(_exported, served.run.folder.root, tmp_path_factory.mktemp("forms"))


@dataclasses.dataclass
class Reference:
    """The trained model on features that numpy computes."""

    served: Served

    def patches(self, signal: np.ndarray) -> np.ndarray:
        """The patches of a signal, float32 [patches, patch(, mels)]."""
        spec, patch = self.served.run.spec, self.served.run.config.patch
        features = signal
        if isinstance(spec, LogMelSpec):
            samples = (signal * INT16_SCALE).astype(np.int16)
            features = np.concatenate(list(logmel_blocks(lambda first, end: samples[first:end], len(samples), spec)))
        return np.stack([cut(features, start, patch) for start in patch_starts(len(features), patch).tolist()])

    def __call__(self, signal: np.ndarray) -> Outputs:
        return self.of_patches(self.patches(signal))

    def of_patches(self, patches: np.ndarray) -> Outputs:
        outputs = self.served.run.model(patches, training=False)
        scores = 1 / (1 + np.exp(-outputs["logits"].numpy().astype(np.float64)))
        return {"scores": scores.mean(axis=0), "embedding": outputs["embedding"].numpy().mean(axis=0)}


def _sound(samples: int) -> np.ndarray:
    """Tones that come and go, in int16 steps, float32 [samples]."""
    time = np.arange(samples) / 16_000
    rng = np.random.default_rng(0)
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) * (np.sin(5 * time) > 0) + rng.normal(scale=0.05, size=samples)
    return np.round(sound * INT16_SCALE).clip(-32_768, 32_767).astype(np.float32) / np.float32(INT16_SCALE)


SIGNALS = {
    "one sample": _sound(1),
    "half a patch": _sound(8_000),
    "several patches and a tail": _sound(90_000),
    "silence": np.zeros(50_000, np.float32),
}


def _saved_model(signatures: dict[str, Any]) -> Form:
    def run(signal: np.ndarray) -> Outputs:
        waveform = tf.constant(signal[np.newaxis])
        return {
            "scores": signatures["serving_default"](waveform=waveform)["scores"].numpy()[0],
            "embedding": signatures["embed"](waveform=waveform)["embedding"].numpy()[0],
        }

    return run


def _onnx(folder: Path) -> Form:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])

    def run(signal: np.ndarray) -> Outputs:
        scores, embedding = session.run(["scores", "embedding"], {"waveform": signal[np.newaxis]})
        return {"scores": scores[0], "embedding": embedding[0]}

    return run


def _tflite(folder: Path) -> Form:
    model = Interpreter(str(folder / "model.tflite")).get_signature_runner()
    return lambda signal: {name: values[0] for name, values in model(waveform=signal[np.newaxis]).items()}


def _keras(folder: Path, reference: Reference) -> Form:
    """A Keras file knows patches only; it is given those of the reference."""
    model = keras.saving.load_model(folder / "model.keras")

    def run(signal: np.ndarray) -> Outputs:
        outputs = model(reference.patches(signal), training=False)
        return {name: values.numpy().mean(axis=0) for name, values in outputs.items()}

    return run


def _essentia(folder: Path) -> Form:
    """The frozen graph in a session, by the names that its description gives; Essentia loads it in the same way."""
    described = json.loads((folder / "model.json").read_text())["schema"]
    names = {one["output_purpose"]: one["name"] for one in described["outputs"]}
    graph = tf.compat.v1.GraphDef.FromString((folder / "model.pb").read_bytes())
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(graph, name="")
    for one in described["outputs"]:  # Essentia reads no further than the sizes that the graph states
        assert loaded.get_tensor_by_name(f"{one['name']}:0").shape[1:].as_list() == one["shape"][1:]
    session = tf.compat.v1.Session(graph=loaded)

    def run(signal: np.ndarray) -> Outputs:
        fetched = [f"{names[purpose]}:0" for purpose in ("predictions", "embeddings")]
        scores, embedding = session.run(fetched, {f"{described['inputs'][0]['name']}:0": signal[np.newaxis]})
        return {"scores": scores[0], "embedding": embedding[0]}

    return run


# The operations of a graph that Essentia 2.1-beta6 was seen to load and run; its TensorFlow is 2.5.
KNOWN_TO_ESSENTIA = set(
    "Abs AddV2 BatchMatMulV2 BiasAdd Cast ConcatV2 Const Conv2D EnsureShape Enter Exit ExpandDims Fill "
    "FloorDiv GatherV2 Identity Imag Less Log LoopCond MatMul Max MaxPool Maximum Mean Merge Minimum Mul "
    "NextIteration NoOp Pack Pad Placeholder RFFT Range Real RealDiv Relu Reshape Rsqrt SelectV2 Shape Sigmoid "
    "Slice SplitV Square Squeeze StridedSlice Sub Sum Switch".split()
)


@both_frontends
def test_essentia_knows_every_operation_of_its_graph(served: Served, exported: Callable[..., Path]) -> None:
    graph = tf.compat.v1.GraphDef.FromString((exported("essentia") / "model.pb").read_bytes())
    found = {node.op for node in graph.node} | {node.op for one in graph.library.function for node in one.node_def}
    assert found <= KNOWN_TO_ESSENTIA
    assert len(found) > 20
    described = json.loads((exported("essentia") / "model.json").read_text())
    assert (described["classes"], described["inference"]["sample_rate"]) == (list(TAGS), 16_000)


def _require_alike(found: Outputs, expected: Outputs, tolerance: float, what: str) -> None:
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=0, atol=tolerance, err_msg=what)
    largest = float(np.abs(expected["embedding"]).max())
    np.testing.assert_allclose(
        found["embedding"], expected["embedding"], rtol=0, atol=tolerance * largest, err_msg=what
    )


@both_frontends
def test_each_form_answers_as_the_reference(served: Served, exported: Callable[..., Path]) -> None:
    reference = Reference(served)
    forms = {
        "SavedModel": (_saved_model(served.signatures), FLOAT32),
        "ONNX": (_onnx(exported("onnx")), FLOAT32),
        "LiteRT": (_tflite(exported("tflite")), LITERT),
        "Essentia": (_essentia(exported("essentia")), FLOAT32),
        "Keras": (_keras(exported("keras"), reference), FLOAT32),
    }
    expected = {name: reference(signal) for name, signal in SIGNALS.items()}
    assert np.ptp([outputs["scores"] for outputs in expected.values()], axis=0).min() > 0.003, "it scores all alike"
    for form, (run, tolerance) in forms.items():
        for name, signal in SIGNALS.items():
            _require_alike(run(signal), expected[name], tolerance, f"{form}, {name}")


@both_frontends
def test_a_batch_is_scored_as_its_rows(served: Served, exported: Callable[..., Path]) -> None:
    rows = np.stack([_sound(40_000), np.roll(_sound(40_000), 9_000)])
    reference = [Reference(served)(row)["scores"] for row in rows]
    session = onnxruntime.InferenceSession(exported("onnx") / "model.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["scores"], {"waveform": rows})[0], reference, atol=FLOAT32)
    model = Interpreter(str(exported("tflite") / "model.tflite")).get_signature_runner()
    np.testing.assert_allclose(model(waveform=rows)["scores"], reference, atol=LITERT)


@both_frontends
def test_a_number_that_is_not_finite_makes_its_row_nan(served: Served, exported: Callable[..., Path]) -> None:
    """A maximum may drop NaN, and the row would have scores that look sound."""
    for poison in (np.nan, np.inf):
        spoilt = _sound(90_000)
        spoilt[50_000] = poison
        forms = {"SavedModel": _saved_model(served.signatures), "ONNX": _onnx(exported("onnx"))}
        for form, run in {**forms, "LiteRT": _tflite(exported("tflite"))}.items():
            for name, values in run(spoilt).items():
                assert np.isnan(values).all(), (form, name, poison)
        patches = Reference(served).patches(_sound(60_000))
        patches[1].flat[7] = poison
        session = onnxruntime.InferenceSession(exported("onnx") / "patches.onnx", providers=["CPUExecutionProvider"])
        for found in (
            served.signatures["patches"](patches=tf.constant(patches))["scores"].numpy(),
            session.run(["scores"], {"patches": patches})[0],
        ):
            assert [bool(np.isnan(row).all()) for row in found] == [False, True, *(False for _ in patches[2:])]


@both_frontends
def test_padding_counts_for_nothing_whatever_it_holds(served: Served) -> None:
    lengths = [1, 8_000, 30_000]
    for rubbish in (0.9, np.nan, np.inf):
        padded = np.full((len(lengths), 40_000), rubbish, np.float32)
        for row, length in zip(padded, lengths, strict=True):
            row[:length] = _sound(length)
        scores = served.call("padded", waveform=padded, samples=np.array(lengths, np.int32))
        for found, length in zip(scores, lengths, strict=True):
            np.testing.assert_allclose(found, Reference(served)(_sound(length))["scores"], atol=FLOAT32)


@both_frontends
def test_stored_features_score_as_their_audio(served: Served, exported: Callable[..., Path]) -> None:
    """The signature and the ONNX model for patches, which `pipeline.run tag` uses."""
    stored, sounds = served.records(served.run.config.family), served.records("waveform")
    session = onnxruntime.InferenceSession(exported("onnx") / "patches.onnx", providers=["CPUExecutionProvider"])
    patch = served.run.config.patch
    for number in range(3):
        features = as_float(stored.read(number))
        patches = np.stack([cut(features, start, patch) for start in patch_starts(len(features), patch).tolist()])
        expected = Reference(served)(as_float(sounds.read(number)))
        scores, embedding = session.run(["scores", "embedding"], {"patches": patches})
        found = {"scores": scores.mean(axis=0), "embedding": embedding.mean(axis=0)}
        _require_alike(found, Reference(served).of_patches(patches), FLOAT32, "ONNX")
        outputs = served.signatures["patches"](patches=tf.constant(patches))
        found = {name: values.numpy().mean(axis=0) for name, values in outputs.items()}
        _require_alike(found, Reference(served).of_patches(patches), FLOAT32, "SavedModel")
        np.testing.assert_allclose(found["scores"], expected["scores"], atol=STORED)


@pytest.mark.parametrize("served", ["spectrogram"], indirect=True)
def test_bfloat16_moves_scores_a_little(served: Served, exported: Callable[..., Path]) -> None:
    loaded = tf.saved_model.load(str(exported("savedmodel", "mixed_bfloat16")))
    run = _saved_model(loaded.signatures)
    differences = []
    for name, signal in SIGNALS.items():
        expected = Reference(served)(signal)
        _require_alike(run(signal), expected, BFLOAT16, name)
        differences.append(np.abs(run(signal)["scores"] - expected["scores"]).max())
    assert max(differences) > FLOAT32, "it computes in float32"


@pytest.mark.parametrize("served", ["spectrogram"], indirect=True)
@pytest.mark.parametrize("runtime", ["tensorflow", "onnx"])
def test_a_beam_job_scores_as_the_reference(
    served: Served, exported: Callable[..., Path], runtime: str, small_dataset: SmallDataset, tmp_path: Path
) -> None:
    dataset = small_dataset.copy(tmp_path / "dataset")
    model = served.model if runtime == "tensorflow" else exported("onnx")
    options = TagOptions(workers=1, runtime=runtime)  # type: ignore[arg-type]
    tag(str(model), str(tmp_path / "tags"), dataset=dataset.root, options=options)
    files = sorted((tmp_path / "tags").glob("scores/gen-*/*.parquet"))
    rows = {row["track_id"]: row for file in files for row in pq.read_table(file).to_pylist()}
    records = served.records("waveform")
    tracks = records.tracks.track_ids
    assert len(tracks) > 10
    for number in range(0, len(tracks), 5):
        expected = Reference(served)(as_float(records.read(number)))
        found = rows[tracks[number]]
        np.testing.assert_allclose(np.array(found["scores"], np.float32), expected["scores"], atol=STORED)


@pytest.mark.parametrize("served", ["spectrogram"], indirect=True)
def test_saved_model_cli_scores_as_the_reference(served: Served, tmp_path: Path) -> None:
    signal = SIGNALS["several patches and a tail"]
    np.save(tmp_path / "song.npy", signal[np.newaxis])
    words = ["run", "--dir", served.model, "--tag_set", "serve", "--signature_def", "serving_default"]
    words += ["--inputs", f"waveform={tmp_path}/song.npy", "--outdir", tmp_path]
    subprocess.run([SAVED_MODEL_CLI, *words], check=True, capture_output=True, timeout=120)
    (scores,) = np.load(tmp_path / "scores.npy")
    np.testing.assert_allclose(scores, Reference(served)(signal)["scores"], atol=FLOAT32)


@pytest.mark.parametrize("served", ["spectrogram"], indirect=True)
def test_the_code_of_the_page_runs_each_form(
    served: Served, exported: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = SIGNALS["several patches and a tail"]
    (tmp_path / "run").mkdir()
    for form in ("onnx", "tflite", "keras"):
        (tmp_path / "run" / form).symlink_to(exported(form))
    soundfile.write(tmp_path / "song.wav", signal, 16_000, subtype="PCM_16")
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    expected = Reference(served)(signal)["scores"]
    shown = "".join(f"{tag} {score:.2f}\n" for tag, score in zip(TAGS, expected, strict=True))
    printed = []
    for program in programs:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(program, str(PAGE), "exec"), {})
        printed.append(out.getvalue())
    assert printed == [shown, shown, f"(1, {len(TAGS)}) (16, {len(TAGS)})\n"]


@pytest.mark.parametrize("served", ["spectrogram"], indirect=True)
def test_a_keras_file_needs_no_tensorflow_and_none_of_this_package(
    served: Served, exported: Callable[..., Path], tmp_path: Path
) -> None:
    patches = Reference(served).patches(SIGNALS["several patches and a tail"])
    np.save(tmp_path / "patches.npy", patches)
    program = (
        "import sys, keras, numpy as np\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "np.save('scores.npy', model(np.load('patches.npy'))['scores'])\n"
        "found = {name.split('.')[0] for name in sys.modules} & {'tensorflow', 'training', 'schemas', 'pipeline'}\n"
        "assert not found, found\n"
    )
    words = [sys.executable, "-P", "-c", program, str(exported("keras") / "model.keras")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["KERAS_BACKEND"] = "jax"
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-1500:]
    scores = np.load(tmp_path / "scores.npy").mean(axis=0)
    np.testing.assert_allclose(scores, Reference(served).of_patches(patches)["scores"], atol=FLOAT32)


def test_an_option_that_a_form_cannot_honour_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for form in ("onnx", "tflite", "keras"):
        words = ["training/run.py", "export", "--run", tmp_path / "none", "--out", tmp_path / "model"]
        ended = run_warm([*words, "--format", form, "--precision", "mixed_bfloat16"])
        assert ended.returncode == 2
        assert ended.stderr.startswith("error: --precision mixed_bfloat16: expected only with --format savedmodel")
        assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "model").exists()


def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tf2onnx" else found(name, *rest)
    )
    with pytest.raises(UserError, match=r"--format onnx: tf2onnx is not installed .*pip install '\.\[export\]'"):
        export(str(tmp_path), str(tmp_path / "model"), "onnx")


@pytest.mark.parametrize("served", ["spectrogram"], indirect=True)
def test_a_form_replaces_its_own_kind_only(
    served: Served, exported: Callable[..., Path], small_run: str, tmp_path: Path
) -> None:
    model = shutil.copytree(exported("keras"), tmp_path / "model")
    before = (model / "model.keras").read_bytes()
    (model / "model.keras").write_bytes(b"an older one")
    with compiled_graphs():
        export(small_run, str(model), "keras")
    assert (model / "model.keras").read_bytes() == before  # the second export is the same bytes
    with pytest.raises(UserError, match=r"expected an ONNX model to replace or an empty folder, found .*model\.keras"):
        export(small_run, str(model), "onnx")
    with pytest.raises(UserError, match=r"expected a SavedModel, found a Keras model; write one with"):
        SavedModel(str(model))
