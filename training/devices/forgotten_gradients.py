"""Make TensorFlow forget the custom gradients of a graph that is no longer needed.

For each call in a graph, `tf.custom_gradient` adds a function to a global registry and never removes it. The function refers to
the whole graph and its variables, so a process that trains several times, such as a notebook, would keep every model.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from tensorflow.python.framework import ops

_PREFIX = "CustomGradient-"


@contextlib.contextmanager
def forgotten_gradients() -> Iterator[None]:
    """Remove what is registered within the block once it ends; no further gradient of a graph traced there can be built then.

    Decorate a function with it, so that its local variables are gone when the memory is collected.
    """
    registry = getattr(getattr(ops, "gradient_registry", None), "_registry", {})  # it has no public name
    before = set(registry)
    try:
        yield
    finally:
        for name in [name for name in registry if name.startswith(_PREFIX) and name not in before]:
            del registry[name]
        gc.collect()
