"""All benchmarks, one after the other: python -m benchmarks (`make bench`)."""

from __future__ import annotations

from benchmarks import build_cost, estimate_error, excerpt_cost, flat_memory, labelling, planning, worker_scaling

if __name__ == "__main__":
    for benchmark in (build_cost, worker_scaling, planning, labelling, flat_memory, excerpt_cost, estimate_error):
        print(f"\n{benchmark.__name__}")
        benchmark.main()
