"""Write scores.json: the scores of the authors' own graph for the weights and inputs of formula.py.

    git clone https://github.com/jordipons/music-audio-tagging-at-scale-models   # at 21ff73c
    pip install tensorflow-cpu==2.15.1        # Python 3.11, in an environment of its own
    pip download --no-deps musicnn==0.1.0 && unzip musicnn-0.1.0-py3-none-any.whl -d musicnn-0.1.0
    python -m tests.training.models.golden.generate music-audio-tagging-at-scale-models/models.py musicnn-0.1.0

Their models.py (3-clause BSD, Pandora Media) and that of musicnn (ISC) are imported unchanged, and only their scores are kept.
The first needs TensorFlow 1, for which `tf.compat.v1` is used.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow

from tests.training.models.golden.formula import CASES, DENSE_UNITS, MELS, TAGS, Case, inputs, weight

tf = tensorflow.compat.v1
VGG_FILTERS = 128


def published_models(path: str) -> Any:
    """Import the file at `path`, with an `import tensorflow` that yields TensorFlow 1's names."""
    contrib = types.SimpleNamespace(
        layers=types.SimpleNamespace(
            variance_scaling_initializer=tf.variance_scaling_initializer, flatten=tf.layers.flatten
        )
    )
    names = ("layers", "nn", "expand_dims", "pad", "squeeze", "concat", "transpose", "add", "reduce_max", "sigmoid")
    shim = types.ModuleType("tensorflow")
    vars(shim).update({name: getattr(tf, name) for name in names}, contrib=contrib)
    spec = importlib.util.spec_from_file_location("published_models", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tensorflow"] = shim
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules["tensorflow"] = tensorflow
    return module


def successor_models(folder: str) -> Any:
    """Import musicnn/models.py of an unpacked wheel."""
    sys.path.insert(0, folder)
    return importlib.import_module("musicnn.models")


def scores(models: Any, successors: Any, case: Case) -> np.ndarray:
    """Their sigmoid outputs in inference mode, float32 [examples, tags]."""
    values = inputs(case)
    config = {"numOutputNeurons": TAGS, "setup_params": {"yInput": MELS}}
    with tf.Graph().as_default(), tf.Session() as session:
        values = values[..., None] if case.frontend == "waveform" else values
        placeholder = tf.placeholder(tf.float32, values.shape)
        if case.frontend == "musicnn":
            outputs = tf.sigmoid(successors.build_musicnn(placeholder, False, TAGS, num_units_backend=DENSE_UNITS)[0])
        elif case.frontend == "vgg":
            outputs = tf.sigmoid(successors.vgg(placeholder, False, TAGS, VGG_FILTERS)[0])
        else:
            if case.frontend == "spectrogram":
                channels = models.spec_frontend(placeholder, False, config, case.num_filt)
            else:
                channels = models.wave_frontend(placeholder, False)
            outputs = models.backend(channels, False, config, DENSE_UNITS)
        for number, variable in enumerate(tf.global_variables()):
            kind = variable.op.name.rpartition("/")[2]
            variable.load(weight(number, kind, tuple(variable.shape.as_list())), session)
        return session.run(outputs, {placeholder: values})


def main() -> None:
    models, successors = published_models(sys.argv[1]), successor_models(sys.argv[2])
    lines = [
        f" {json.dumps(case.name)}: [\n"
        + ",\n".join(
            "  [" + ", ".join(f"{score:.9g}" for score in row) + "]" for row in scores(models, successors, case)
        )
        + "\n ]"
        for case in CASES
    ]
    Path(__file__).with_name("scores.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
