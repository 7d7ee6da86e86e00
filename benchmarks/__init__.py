"""Benchmarks: each is a command that prints a table and writes JSON into benchmarks/results/."""

import sys

from schemas.console.interpreter import explain_missing_packages, require_packages

explain_missing_packages()
if "benchmarks.training_step_jax" not in sys.orig_argv:  # it needs only JAX and Keras
    require_packages("train")
