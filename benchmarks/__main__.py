"""All benchmarks, one after the other: python -m benchmarks (`make bench`)."""

from __future__ import annotations

from benchmarks import feature_cost

if __name__ == "__main__":
    feature_cost.main()
