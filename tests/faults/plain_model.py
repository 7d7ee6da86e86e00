"""Stands in for the process that scores: a model in numpy, ready at once, which fails on marked patches as a real one might.

A patch is marked by its first value: 2, 3, 4 and 5 make it crash, hang, run out of memory and return NaN. If
TAGSCALE_TEST_NAN is set, it returns NaN for every patch.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time

import numpy as np

from pipeline.audio.lifeline import end_with_parent
from pipeline.tagging.inference_process import shared_arrays

CRASHES, HANGS, FILLS_MEMORY, IS_NAN = 2.0, 3.0, 4.0, 5.0


def scored(patches: np.ndarray, results: int) -> np.ndarray:
    """Results in [0, 1] that depend on all values of a patch, float32 [rows, results]."""
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    weights = np.random.default_rng(0).normal(size=(flat.shape[1], results)) / np.sqrt(flat.shape[1])
    return (1 / (1 + np.exp(-(flat @ weights)))).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--memory", "--lifeline", "--batch", "--results"):
        parser.add_argument(name, type=int)
    parser.add_argument("--model")
    parser.add_argument("--patch", type=int, nargs="+")
    options = parser.parse_args()
    end_with_parent(options.lifeline)
    patches, results = shared_arrays(options.memory, options.batch, tuple(options.patch), options.results)
    print(json.dumps({"progress": True}), flush=True)
    for line in sys.stdin:
        rows = json.loads(line)["rows"]
        marks = set(patches[:rows].reshape(rows, -1)[:, 0].tolist())
        if CRASHES in marks:
            os.kill(os.getpid(), signal.SIGSEGV)
        if HANGS in marks:
            time.sleep(60)
        if FILLS_MEMORY in marks:
            raise MemoryError
        results[:rows] = scored(patches[:rows], options.results)
        results[:rows][patches[:rows].reshape(rows, -1)[:, 0] == IS_NAN] = np.nan
        if os.environ.get("TAGSCALE_TEST_NAN"):
            results[:rows] = np.nan
        print("{}", flush=True)


if __name__ == "__main__":
    main()
