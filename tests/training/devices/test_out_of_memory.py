from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from schemas.console.errors import TagscaleError
from training.devices.out_of_memory import explained_out_of_memory


def test_memory_that_runs_out_is_one_line_with_advice() -> None:
    for allocate in (lambda: tf.zeros([1 << 30, 1 << 12]), lambda: np.ones((1 << 30, 1 << 20))):
        with (
            pytest.raises(TagscaleError, match="^out of memory; end other programs that use the memory[^\n]*$"),
            explained_out_of_memory(),
        ):
            allocate()


def test_any_other_error_is_left_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), explained_out_of_memory():
        _ = 1 / 0
    with pytest.raises(tf.errors.InvalidArgumentError), explained_out_of_memory():
        tf.linalg.matmul(tf.zeros([1, 2]), tf.zeros([1, 2]))
