from __future__ import annotations

import gc
import weakref
from typing import Any

import tensorflow as tf

from training.devices.forgotten_gradients import forgotten_gradients


def _traced_graph() -> weakref.ref[Any]:
    @tf.custom_gradient
    def doubled(value: tf.Tensor) -> Any:
        return 2 * value, lambda upstream: 2 * upstream

    return weakref.ref(tf.function(doubled).get_concrete_function(tf.TensorSpec(())).graph)


def test_a_graph_with_a_custom_gradient_is_freed() -> None:
    graph = forgotten_gradients()(_traced_graph)()
    assert graph() is None


def test_tensorflow_itself_keeps_it() -> None:
    """If this fails, TensorFlow frees such graphs itself and the module can be deleted."""
    graph = _traced_graph()
    gc.collect()
    assert graph() is not None
