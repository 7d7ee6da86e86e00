"""The child process that scores: one JSON request per line on stdin, one JSON answer per line on stdout.

`pipeline.tagging.inference` starts it as `python -m pipeline.tagging.inference_process`. It may crash, hang or run out of
memory without harm to the Beam worker. Patches and their results lie in memory that both processes share.

    request:  {"rows": n}        the first n patches are filled in
    answers:  {"progress": true} once when the model is loaded
              {}                 the first n rows of the results are filled in
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.audio.lifeline import end_with_parent
from schemas.console.keras_extras import without_keras_extras

Score = Callable[[Any], Any]  # float32 [rows, *patch] -> float32 [rows, scores and embedding]


def serve(load: Callable[[str], Score]) -> None:
    """Answer requests until the parent ends.

    Args:
        load: Loads the model in a folder.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, required=True, help="descriptor of the shared memory")
    parser.add_argument("--lifeline", type=int, required=True, help="pipe that closes when the parent is gone")
    parser.add_argument("--model", required=True, help="local folder of the model")
    parser.add_argument("--batch", type=int, required=True, help="largest number of patches in a request")
    parser.add_argument("--patch", type=int, nargs="+", required=True, help="shape of a patch")
    parser.add_argument("--results", type=int, required=True, help="number of scores and embedding values of a patch")
    options = parser.parse_args()
    end_with_parent(options.lifeline)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing that a library prints may be taken for an answer
    patches, results = shared_arrays(options.memory, options.batch, tuple(options.patch), options.results)
    score = load(options.model)
    print(json.dumps({"progress": True}), file=answers)
    for line in sys.stdin:
        rows = json.loads(line)["rows"]
        results[:rows] = score(patches[:rows])
        print("{}", file=answers)


def shared_arrays(
    descriptor: int, batch: int, patch: tuple[int, ...], results: int
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.float32]]]:
    """Views of the shared memory.

    Args:
        descriptor: The memory, which has `shared_bytes`.
        batch: Number of patches.
        patch: Shape of a patch.
        results: Number of results of a patch.

    Returns:
        float32 [batch, *patch] and float32 [batch, results].
    """
    memory = mmap.mmap(descriptor, shared_bytes(batch, patch, results))
    values = np.frombuffer(memory, np.float32)
    inputs = batch * int(np.prod(patch))
    return values[:inputs].reshape(batch, *patch), values[inputs:].reshape(batch, results)


def shared_bytes(batch: int, patch: tuple[int, ...], results: int) -> int:
    """Size of the shared memory."""
    return 4 * batch * (int(np.prod(patch)) + results)


def _loaded(folder: str) -> Score:
    """A SavedModel's signature for patches."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with without_keras_extras():
        import tensorflow as tf  # only here: a process that decodes must not import it

    loaded = tf.saved_model.load(folder)  # holds the weights, so it must outlive its functions
    function = loaded.signatures["patches"]

    def score(patches: Any) -> Any:
        outputs = function(patches=tf.constant(patches))
        return np.concatenate([outputs["scores"].numpy(), outputs["embedding"].numpy()], axis=1)

    score.model = loaded  # type: ignore[attr-defined]
    return score


if __name__ == "__main__":
    serve(_loaded)
