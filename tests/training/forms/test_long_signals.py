"""An hour of audio takes little more memory than a few copies of its samples: no spectrum of the hour is held."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from schemas.features import LogMelSpec, WaveformSpec
from tests.training.conftest import compiled_graphs
from training.forms.onnx_files import write_onnx
from training.forms.tflite_file import write_tflite

HOUR = 3600 * 16_000 + 777
MORE = 150  # MiB beside the copies: a patch, its spectrum, and the runtime's own

# Prints by how many MiB the peak of the process grows while an hour is scored, and the scores.
PROGRAM = f"""
import json, re, sys
import numpy as np

def peak():  # what getrusage says begins with the peak of the process that started this one
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) >> 10

form, path = sys.argv[1:]
waveform = np.zeros((1, {HOUR}), np.float32)
waveform[:, ::100] = 0.5
if form == "onnx":
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    run = lambda signal: session.run(["scores"], {{"waveform": signal}})[0]
else:
    from ai_edge_litert.interpreter import Interpreter
    model = Interpreter(path, num_threads=1).get_signature_runner()
    run = lambda signal: model(waveform=signal)["scores"]
run(waveform[:, :500_000])
before = peak()
scores = run(waveform)
print(json.dumps([peak() - before, scores.tolist()]))
"""


def _cheap_tagger() -> keras.Model:
    """A model that takes next to no time: what remains is log-mel and the averaging over patches."""
    inputs = keras.Input((938, 96), name="logmel")
    embedding = keras.layers.GlobalAveragePooling1D()(inputs)
    scores = keras.layers.Dense(2, activation="sigmoid", kernel_initializer=keras.initializers.HeNormal(seed=0))
    return keras.Model(inputs, {"scores": scores(embedding), "embedding": embedding})


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_an_hour_takes_little_memory_beside_copies_of_its_samples(form: str, tmp_path: Path) -> None:
    write = {"onnx": write_onnx, "tflite": write_tflite}[form]
    plain = _cheap_tagger()
    with compiled_graphs():
        write(str(tmp_path), plain, LogMelSpec(WaveformSpec("full")))
    words = [sys.executable, "-c", PROGRAM, form, str(tmp_path / f"model.{form}")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-1500:]
    grown, scores = json.loads(ended.stdout)
    copies = {"onnx": 2, "tflite": 3}[form]  # padded, as what the loop carries, and LiteRT copies its input too
    assert grown < copies * 4 * HOUR / 2**20 + MORE
    assert 0 < np.min(scores) < np.max(scores) < 1
