"""Write scores.json: what the graphs and the weights of the musicnn package give for the inputs of a formula.

    pip install tensorflow-cpu==2.15.1        # Python 3.11, in an environment of its own
    pip download --no-deps musicnn==0.1.0 && unzip musicnn-0.1.0-py3-none-any.whl -d musicnn-0.1.0
    python -m tests.training.published.generate_scores musicnn-0.1.0

Its models.py (ISC) is imported unchanged, and only its scores are kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.models.golden.formula import TAGS, Case, inputs

FRAMES = 187
MODELS = ("MTT_musicnn", "MTT_vgg", "MSD_musicnn", "MSD_vgg")
CASE = Case("musicnn", FRAMES)


def scores(folder: str, models: Any, name: str) -> np.ndarray:
    """Sigmoid outputs, float32 [examples, tags]."""
    import tensorflow

    tf = tensorflow.compat.v1
    values = inputs(CASE)
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, values.shape)
        with tf.name_scope("model"):
            outputs = tf.sigmoid(models.define_model(placeholder, False, name, TAGS)[0])
        tf.train.Saver().restore(session, f"{folder}/musicnn/{name}/")
        return session.run(outputs, {placeholder: values})


def main() -> None:
    folder = sys.argv[1]
    sys.path.insert(0, folder)
    from musicnn import models

    lines = [
        f" {json.dumps(name)}: [\n"
        + ",\n".join("  [" + ", ".join(f"{score:.6g}" for score in row) + "]" for row in scores(folder, models, name))
        + "\n ]"
        for name in MODELS
    ]
    Path(__file__).with_name("scores.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
