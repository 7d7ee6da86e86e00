"""Cost of a training step on JAX's device, such as a GPU, beside the models written the obvious way.

    python -m benchmarks.training_step_jax [--batch 32]

Keras's JAX backend runs the same models, so this needs JAX and Keras but not TensorFlow. The variants run one after the
other, each in its own process and alone on the device. A step is forward, backward and Adam, compiled together by XLA;
the table shows the median over several stretches of steps, each timed from an idle device to an idle device. The share
of the peak compares the arithmetic of the convolutions (three times the forward pass) with the rate of a large product
in the variant's own precision; the device decides how it computes float32, for example in TF32 on a GPU that has it. The
share of the copy compares the rate of all bytes that XLA's operations read and write, by XLA's own count, with that of
copying a large array.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import write_results
from benchmarks.training_step import PLAIN, WORKLOADS, cpu_name, step_operations, tagger_and_batch

ROOT = Path(__file__).parents[1]
BATCH = 32
VARIANTS = (PLAIN, "float32", "mixed_bfloat16")
DETERMINISTIC = "float32, deterministic"  # runs twice, to compare the bits
STRETCHES, STRETCH_SECONDS, MOST_STEPS = 5, 0.5, 100
PEAK_SIZES = {"gpu": 8192, "cpu": 2048}  # rows and columns of the product that measures the peak
COPY_SIZES = {"gpu": 1 << 29, "cpu": 1 << 26}  # float32 numbers of the array that is copied


@dataclasses.dataclass(frozen=True)
class DeviceStep:
    """Cost of a training step on a device.

    Attributes:
        device: name of the device.
        wall: wall time of a step in seconds.
        memory: bytes that the compiled step needs for weights, batch and intermediates, without trials during compilation.
        traffic: bytes that all operations of the compiled step read and write.
        peak_rate: floating-point operations per second of a large product.
        copy_rate: bytes read and written per second by a copy.
        compiling: seconds until the first step was done.
        digest: SHA-256 of the weights after three steps from the seed.
    """

    device: str
    wall: float
    memory: int
    traffic: int
    peak_rate: float
    copy_rate: float
    compiling: float
    digest: str


def measure(frontend: str, seconds: float, batch: int, variant: str) -> DeviceStep:
    """Cost of a step of one variant, in its own process."""
    command = [sys.executable, "-m", "benchmarks.training_step_jax", "--serve", frontend, str(seconds), variant]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if variant == DETERMINISTIC:
        environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
    done = subprocess.run(
        [*command, "--batch", str(batch)], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, check=True
    )
    return DeviceStep(**json.loads(done.stdout.splitlines()[-1]))


def serve(frontend: str, seconds: float, batch: int, variant: str) -> DeviceStep:
    """Measure a step in this process."""
    import jax

    began = time.perf_counter()
    step, weights, memory, traffic = training_step(frontend, seconds, batch, variant)
    step(1)
    compiling = time.perf_counter() - began
    step(2)
    digest = hashlib.sha256(b"".join(value.tobytes() for value in weights())).hexdigest()
    began = time.perf_counter()
    step(1)
    count = max(1, min(MOST_STEPS, int(STRETCH_SECONDS / (time.perf_counter() - began))))
    stretches = []
    for _ in range(STRETCHES):
        began = time.perf_counter()
        step(count)
        stretches.append((time.perf_counter() - began) / count)
    peak = matrix_peak("bfloat16" if variant == "mixed_bfloat16" else "float32")
    device = cpu_name() if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
    return DeviceStep(device, statistics.median(stretches), memory, traffic, peak, copy_rate(), compiling, digest)


def training_step(
    frontend: str, seconds: float, batch: int, variant: str
) -> tuple[Callable[[int], float], Callable[[], list[Any]], int, int]:
    """Returns a function that takes a number of steps on one random batch and returns the last loss, a function that
    returns the weights, and the bytes that a step needs and moves."""
    import jax
    import keras
    import numpy as np
    from keras import ops

    from training.models.tagger import set_dropout_step

    model, *arrays = tagger_and_batch(frontend, seconds, batch, variant)
    inputs, targets = (jax.device_put(array) for array in arrays)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)

    def loss(trained: Any, moved: Any, number: Any, inputs: Any, targets: Any) -> Any:
        mapping = [*zip(variables[0], trained, strict=True), *zip(variables[1], moved, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            if variant != PLAIN:
                set_dropout_step(model, number)
            outputs = model(inputs, training=True)
            logits = outputs if variant == PLAIN else outputs["logits"]
            value = ops.mean(ops.softplus(logits) - targets * logits) + sum(model.losses)
            return value, [scope.get_current_value(variable) for variable in variables[1]]

    def step(state: Any, inputs: Any, targets: Any) -> Any:
        trained, moved, optimized, number = state
        (value, moved), gradients = jax.value_and_grad(loss, has_aux=True)(trained, moved, number, inputs, targets)
        trained, optimized = optimizer.stateless_apply(optimized, gradients, trained)
        return (trained, moved, optimized, number + 1), value

    state: Any = (*([variable.value for variable in each] for each in variables), jax.numpy.zeros((), "int32"))
    compiled = jax.jit(step, donate_argnums=0).lower(state, inputs, targets).compile()
    needs = compiled.memory_analysis()

    def take(count: int) -> float:
        nonlocal state
        for _ in range(count):
            state, value = compiled(state, inputs, targets)
        jax.block_until_ready(state)
        return float(value)

    memory = needs.argument_size_in_bytes + needs.temp_size_in_bytes
    traffic = int(compiled.cost_analysis()["bytes accessed"])
    return take, lambda: [np.asarray(value) for value in state[0]], memory, traffic


def matrix_peak(dtype: str) -> float:
    """Floating-point operations per second of the fastest of several large products."""
    import jax

    size = PEAK_SIZES.get(jax.default_backend(), PEAK_SIZES["gpu"])
    matrix = jax.random.normal(jax.random.key(0), (size, size), dtype)
    return 2 * size**3 / _least_seconds(lambda: jax.numpy.matmul(matrix, matrix))


def copy_rate() -> float:
    """Bytes read and written per second by the fastest of several copies of a large array."""
    import jax

    numbers = jax.numpy.ones(COPY_SIZES.get(jax.default_backend(), COPY_SIZES["gpu"]), "float32")
    return 2 * numbers.nbytes / _least_seconds(lambda: jax.numpy.copy(numbers))


def _least_seconds(compute: Callable[[], Any]) -> float:
    """Seconds per computation: the fastest of six rounds of four computations each."""
    import jax

    jax.block_until_ready(compute())
    least = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        jax.block_until_ready([compute() for _ in range(4)])
        least = min(least, (time.perf_counter() - began) / 4)
    return least


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--serve", nargs=3, metavar=("FRONTEND", "SECONDS", "VARIANT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.serve:
        frontend, seconds, variant = arguments.serve
        print(json.dumps(dataclasses.asdict(serve(frontend, float(seconds), arguments.batch, variant))))
        return
    measured: dict[str, Any] = {"batch": arguments.batch}
    for frontend, seconds, macs in WORKLOADS:
        costs: dict[str, DeviceStep] = {}
        head = (
            f"{'ms':>8} {'x plain':>8} {'examples/s':>11} {'of peak':>8} {'of copy':>8} {'memory':>8} {'compiling':>10}"
        )
        print(f"{f'{frontend}, {seconds} s, batch {arguments.batch}':<32} {head}", flush=True)
        for variant in (*VARIANTS, DETERMINISTIC):
            cost = costs[variant] = measure(frontend, seconds, arguments.batch, variant)
            share = step_operations(macs, arguments.batch) / cost.wall / cost.peak_rate
            moved = cost.traffic / cost.wall / cost.copy_rate
            print(
                f"  {variant:<30} {1e3 * cost.wall:>8.2f} {costs[PLAIN].wall / cost.wall:>8.2f} "
                f"{arguments.batch / cost.wall:>11,.0f} {share:>8.0%} {moved:>8.0%} {cost.memory / 1e9:>6.2f}GB "
                f"{cost.compiling:>8.0f} s",
                flush=True,
            )
        same = measure(frontend, seconds, arguments.batch, DETERMINISTIC).digest == costs[DETERMINISTIC].digest
        print(f"  {DETERMINISTIC}: {'the same bits' if same else 'different bits'} in a second run")
        measured[f"{frontend}_{seconds}s"] = {
            "same_bits": same, **{variant: dataclasses.asdict(cost) for variant, cost in costs.items()}
        }  # fmt: skip
    print(f"on {cost.device}")
    write_results("training_step_jax", measured)


if __name__ == "__main__":
    main()
