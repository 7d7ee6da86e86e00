"""Run the main benchmarks one after the other: python -m benchmarks (`make bench`)."""

from __future__ import annotations

from benchmarks import (
    build_cost,
    capacity,
    estimate_error,
    excerpt_cost,
    flat_memory,
    input_pipeline,
    labelling,
    planning,
    search,
    serving,
    tagging,
    training_step,
    training_wait,
    worker_scaling,
)

BENCHMARKS = (
    build_cost,
    worker_scaling,
    planning,
    capacity,
    labelling,
    flat_memory,
    excerpt_cost,
    estimate_error,
    tagging,
    search,
    serving,
    input_pipeline,
    training_wait,
    training_step,
)

if __name__ == "__main__":
    for benchmark in BENCHMARKS:
        print(f"\n{benchmark.__name__}")
        benchmark.main()
