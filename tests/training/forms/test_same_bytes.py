"""Two processes write the same bytes in every form, whatever order their sets have and whatever they wrote before."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# A small model with the layers that taggers are made of; the second process has written another one before.
PROGRAM = """
import os, sys
from training.devices.tensorflow_import import import_tensorflow
import_tensorflow()
import keras
from schemas.features import LogMelSpec, WaveformSpec
from training.forms.keras_file import write_keras
from training.forms.onnx_files import write_onnx
from training.forms.tflite_file import write_tflite

def tagger(units):
    layers = keras.layers
    inputs = keras.Input((20, 96), name="logmel")
    steps = layers.Conv1D(3, 5, padding="same", kernel_initializer=keras.initializers.HeNormal(seed=1), name="conv")(inputs)
    branch = layers.MaxPooling1D(2, name="pool")(layers.BatchNormalization(name="norm")(steps))
    both = [layers.GlobalMaxPooling1D(name="most")(branch), layers.GlobalAveragePooling1D(name="mean")(branch)]
    pooled = layers.Dropout(0.5, name="dropped")(layers.Concatenate(name="both")(both))
    kernel = keras.initializers.HeNormal(seed=2)
    scores = layers.Dense(units, activation="sigmoid", kernel_initializer=kernel, name="scores")(pooled)
    return keras.Model(inputs, {"scores": scores, "embedding": pooled}, name="tagger")

out, seed = sys.argv[1:]
spec = LogMelSpec(WaveformSpec("full"))
for units in (4, 3) if seed == "2" else (3,):
    folder = os.path.join(out, str(units))
    os.makedirs(folder)
    write_keras(folder, tagger(units))
    write_tflite(folder, tagger(units), spec)
    write_onnx(folder, tagger(units), spec)
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(tmp_path: Path, contents: object) -> None:
    def written(seed: str) -> dict[str, str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        words = [sys.executable, "-c", PROGRAM, str(tmp_path / seed), seed]
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr[-2000:]
        return contents(tmp_path / seed, below="3")  # type: ignore[operator,no-any-return]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(written, ["1", "2"])
    assert sorted(first) == [f"3/{name}" for name in ("model.keras", "model.onnx", "model.tflite", "patches.onnx")]
    assert first == second
