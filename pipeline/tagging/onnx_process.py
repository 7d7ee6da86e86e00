"""The child process that scores with onnxruntime, in place of `pipeline.tagging.inference_process`; it imports no TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pipeline.tagging.inference_process import Score, serve
from schemas.model_forms import ONNX_PATCHES_NAME


def _loaded(folder: str) -> Score:
    """An ONNX model for patches."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread, since the Beam worker's siblings fill the other cores, and so that sums are added in one order.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(
        os.path.join(folder, ONNX_PATCHES_NAME), options, providers=["CPUExecutionProvider"]
    )

    def score(patches: Any) -> Any:
        return np.concatenate(session.run(["scores", "embedding"], {"patches": patches}), axis=1)

    return score


if __name__ == "__main__":
    serve(_loaded)
