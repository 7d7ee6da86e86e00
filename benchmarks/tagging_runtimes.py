"""CPU time of patches that go through one model with TensorFlow and with onnxruntime, in one thread each.

    python -m benchmarks.tagging_runtimes [--repeats 3]

The front-ends have their default sizes, patches of 15 s (musicnn and VGG: 3 s), 50 tags and random weights. Each model is
exported in both forms and then run as the model process of `pipeline.run tag` runs it, on a full batch of 16 patches. The best
repeat counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.results import write_results

PATCHES = 16
MODULES = {"tensorflow": "pipeline.tagging.inference_process", "onnxruntime": "pipeline.tagging.onnx_process"}
FRONTENDS = {
    "spectrogram": (938, 96),
    "waveform": (240_000,),
    "musicnn": (188, 96),
    "vgg": (188, 96),
    "short-chunk": (188, 96),
}

_RUN = f"""
import importlib, json, sys, time
import numpy as np

module, folder, repeats, *shape = sys.argv[1:]
patches = np.random.default_rng(0).uniform(size=({PATCHES}, *map(int, shape))).astype(np.float32)
score = importlib.import_module(module)._loaded(folder)
score(patches)  # the first time compiles
seconds = []
for _ in range(int(repeats)):
    began = time.process_time()
    score(patches)
    seconds.append(time.process_time() - began)
print(json.dumps(min(seconds)))
"""


def write_models(folder: Path) -> None:
    """Write FOLDER/FRONTEND/RUNTIME for each front-end and runtime."""
    from training.devices.tensorflow_import import import_tensorflow

    import_tensorflow()
    from schemas.features import FeatureSpec, LogMelSpec, WaveformSpec
    from schemas.model_forms import Form
    from training.models.tagger import ModelConfig, build_tagger
    from training.serving.model_folder import write_model

    forms: dict[str, Form] = {"tensorflow": "savedmodel", "onnxruntime": "onnx"}
    tags = [f"tag {number}" for number in range(50)]
    for frontend, (patch, *mels) in FRONTENDS.items():
        spec: FeatureSpec = LogMelSpec(WaveformSpec("full")) if mels else WaveformSpec("full")
        model = build_tagger(ModelConfig(frontend), tags=len(tags), patch=patch)  # type: ignore[arg-type]
        facts: dict[str, Any] = {"labels": {"name": "random", "version": "0"}, "config": {"patch_seconds": 15.0}}
        for runtime, form in forms.items():
            out = str(folder / frontend / runtime)
            write_model(out, model, form=form, patch=patch, spec=spec, vocabulary=tags, **facts)


def seconds_of(runtime: str, model: Path, shape: tuple[int, ...], repeats: int) -> float:
    """CPU seconds of a batch, in a process of its own."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    words = [sys.executable, "-c", _RUN, MODULES[runtime], model, repeats, *shape]
    ended = subprocess.run(
        list(map(str, words)), env={**os.environ, **one_thread}, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(json.loads(ended.stdout))


def main() -> None:
    """Measure, print a table, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=3)
    repeats = arguments.parse_args().repeats
    measured: dict[str, dict[str, float]] = {}
    print(f"CPU seconds of {PATCHES} patches of 15 s{'':<4} {'TensorFlow':>11} {'onnxruntime':>12}")
    with tempfile.TemporaryDirectory() as folder:
        write_models(Path(folder))
        for frontend, shape in FRONTENDS.items():
            measured[frontend] = {
                runtime: seconds_of(runtime, Path(folder, frontend, runtime), shape, repeats) for runtime in MODULES
            }
            print(
                f"{frontend:<35} {measured[frontend]['tensorflow']:>11.2f} {measured[frontend]['onnxruntime']:>12.2f}"
            )
    write_results("tagging_runtimes", {"patches": PATCHES, "cpu_seconds": measured})


if __name__ == "__main__":
    main()
