"""Cost of a training step: forward, backward and Adam on one cached batch, beside the models written the obvious way.

    python -m benchmarks.training_step

Each variant runs in its own process; they take their steps in turn, so that other load on the machine affects all alike.
CPU seconds vary less than wall time; the table shows the fastest of several steps. The share of the peak compares the
arithmetic of the convolutions (three times the forward pass) with the rate that a large float32 product reaches per CPU
second.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import write_results

ROOT = Path(__file__).parents[1]
BATCH, TAGS, STEPS = 8, 50, 5
PEAK_SIZE = 2048  # rows and columns of the product that measures the peak
PLAIN = "plain float32"
VARIANTS = (PLAIN, "float32", "mixed_bfloat16", "float32, XLA")
# Front-end, seconds of a patch, 1e9 multiply-adds of a forward pass per example.
WORKLOADS = (
    ("spectrogram", 15, 4.94),
    ("spectrogram", 3, 0.99),
    ("waveform", 15, 2.14),
    ("musicnn", 3, 1.41),
    ("vgg", 3, 0.89),
    ("short-chunk", 3, 1.69),
)


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Cost of a training step.

    Attributes:
        cpu: CPU seconds of all threads.
        wall: wall time in seconds.
        peak_memory: peak memory of the process in bytes, including its imports.
        peak_rate: floating-point operations per CPU second of a large float32 product in the same process.
    """

    cpu: float
    wall: float
    peak_memory: int
    peak_rate: float


def measure(frontend: str, seconds: float, steps: int = STEPS, batch: int = BATCH) -> dict[str, StepCost]:
    """Cost of a step of each variant: the fastest of `steps`, after two that do not count."""
    command = [sys.executable, "-m", "benchmarks.training_step", frontend, str(seconds), str(batch)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes = {
        variant: subprocess.Popen(
            [*command, variant], cwd=ROOT, env=quiet, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for variant in VARIANTS
    }
    costs: dict[str, list[StepCost]] = {variant: [] for variant in VARIANTS}
    try:
        for _ in range(steps + 2):
            for variant, process in processes.items():
                costs[variant].append(_next_step(variant, process))
    finally:
        for process in processes.values():
            process.communicate()
    return {variant: _least(each[2:]) for variant, each in costs.items()}


def _next_step(variant: str, process: subprocess.Popen[str]) -> StepCost:
    if process.stdin is None or process.stdout is None:
        raise TypeError("Expected a process with pipes. Received: one without")
    print(file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"{variant}: the process ended with {process.wait()}; its output is above")
    return StepCost(**json.loads(answer))


def _least(costs: list[StepCost]) -> StepCost:
    return StepCost(
        cpu=min(cost.cpu for cost in costs),
        wall=min(cost.wall for cost in costs),
        peak_memory=max(cost.peak_memory for cost in costs),
        peak_rate=max(cost.peak_rate for cost in costs),
    )


def serve(frontend: str, seconds: float, batch: int, variant: str) -> None:
    """Take a step for each line on stdin, and print its cost."""
    step, peak = training_step(frontend, seconds, batch, variant), matrix_peak()
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        cost = StepCost(time.process_time() - cpu, time.perf_counter() - wall, peak_memory(), peak)
        print(json.dumps(dataclasses.asdict(cost)), flush=True)


def training_step(frontend: str, seconds: float, batch: int, variant: str) -> Callable[[], float]:
    """Returns a function that takes one step on the same random batch and returns its loss."""
    import keras
    import tensorflow as tf

    from training.fit.losses import TrainingLoss
    from training.models.tagger import set_dropout_step

    if not variant.endswith("XLA"):  # XLA has no deterministic gradient of pooling
        tf.config.experimental.enable_op_determinism()
    model, *arrays = tagger_and_batch(frontend, seconds, batch, variant)
    inputs, targets = (tf.constant(array) for array in arrays)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=variant.endswith("XLA"))  # type: ignore[misc]
    def gradients(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            logits = outputs if variant == PLAIN else outputs["logits"]
            known = tf.ones_like(targets)
            loss = TrainingLoss("cross-entropy").summed(targets, known, logits) / (batch * TAGS)
            loss += tf.reduce_sum(tf.stack(model.losses))
        return loss, tape.gradient(loss, model.trainable_variables)

    @tf.function  # type: ignore[misc]
    def step(inputs: Any, targets: Any, number: Any) -> Any:
        if variant != PLAIN:
            set_dropout_step(model, number)
        loss, each = gradients(inputs, targets)
        optimizer.apply(each, model.trainable_variables)
        return loss

    return lambda: float(step(inputs, targets, tf.cast(optimizer.iterations, tf.int64)))


def tagger_and_batch(frontend: str, seconds: float, batch: int, variant: str) -> tuple[Any, Any, Any]:
    """A variant's model, always with the same weights, and random float32 inputs and targets [batch, tags].

    The part of a variant's name before a comma selects the model; the part after it describes the step.
    """
    import keras
    import numpy as np

    from benchmarks.plain_taggers import plain_tagger
    from schemas.features import HOP_LENGTH
    from training.models.patches import patch_length
    from training.models.tagger import ModelConfig, build_tagger

    keras.utils.set_random_seed(0)
    config = ModelConfig(frontend)  # type: ignore[arg-type]
    patch = patch_length(seconds, config.frontend, HOP_LENGTH)
    if variant == PLAIN:
        model = plain_tagger(config, tags=TAGS, patch=patch)
    else:
        model = build_tagger(config, tags=TAGS, patch=patch, dtype_policy=variant.partition(",")[0])
    rng = np.random.default_rng(0)
    shape = (batch, patch) if frontend == "waveform" else (batch, patch, 96)
    inputs = rng.normal(size=shape).astype(np.float32)
    return model, inputs, rng.integers(0, 2, (batch, TAGS)).astype(np.float32)


def step_operations(macs: float, batch: int) -> float:
    """Floating-point operations of a step: three forward passes with `macs` * 1e9 multiply-adds per example."""
    return 3 * 2e9 * macs * batch


def matrix_peak() -> float:
    """Floating-point operations per CPU second of the fastest of several large float32 products."""
    import tensorflow as tf

    matrix = tf.fill((PEAK_SIZE, PEAK_SIZE), 0.5)
    best = 0.0
    for _ in range(6):
        began = time.process_time()
        tf.linalg.matmul(matrix, matrix).numpy()
        best = max(best, 2 * PEAK_SIZE**3 / (time.process_time() - began))
    return best


def peak_memory() -> int:
    """Peak memory of this process in bytes."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) << 10


def cpu_name() -> str:
    """Name of the CPU, its cores and its vector instruction sets."""
    lines = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
    facts = {name.strip(): value.strip() for name, value in lines}
    units = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in facts.get("flags", "").split()]
    return f"{facts.get('model name', 'unknown CPU')}, {os.cpu_count()} cores, {' '.join(units)}"


def main() -> None:
    measured: dict[str, Any] = {"cpu": cpu_name(), "batch": BATCH}
    print(f"{measured['cpu']}; batch {BATCH}, fastest of {STEPS} steps")
    head = f"{'CPU s':>7} {'x plain':>8} {'wall s':>7} {'examples/s':>11} {'of peak':>8} {'memory':>8}"
    for frontend, seconds, macs in WORKLOADS:
        costs = measure(frontend, seconds)
        print(f"{f'{frontend}, {seconds} s':<24} {head}")
        for variant, cost in costs.items():
            share = step_operations(macs, BATCH) / cost.cpu / cost.peak_rate
            print(
                f"  {variant:<22} {cost.cpu:>7.3f} {costs[PLAIN].cpu / cost.cpu:>8.2f} {cost.wall:>7.3f} "
                f"{BATCH / cost.wall:>11.1f} {share:>8.0%} {cost.peak_memory / 1e9:>6.2f}GB"
            )
        measured[f"{frontend}_{seconds}s"] = {variant: dataclasses.asdict(cost) for variant, cost in costs.items()}
    write_results("training_step", measured)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        main()
