"""TensorFlow is imported quickly, and what Keras would import with it can still be imported."""

from __future__ import annotations

import subprocess
import sys

from schemas.console.keras_extras import EXTRAS

PROGRAM = """
import importlib.util, sys
from training.devices.tensorflow_import import import_tensorflow
import matplotlib
import_tensorflow()
import keras
keras.layers.Dense(1).build((1, 1))
print(*sorted({"sklearn", "matplotlib", "pandas", "jax"} & set(sys.modules)))
print(*(name for name in ("sklearn", "matplotlib", "pandas", "jax") if importlib.util.find_spec(name)))
import pandas
"""


def test_packages_that_keras_offers_to_use_are_left_out_and_stay_importable() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-1500:]
    imported, importable = ended.stdout.splitlines()
    assert imported == "matplotlib"  # by the program itself, before
    assert set(importable.split()) == set(EXTRAS)
