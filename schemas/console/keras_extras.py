"""Leave out the optional packages that Keras imports wherever they are installed; this project calls Keras for none."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

# For Keras's wrapper of scikit-learn models, its plots, and what is fed to a model as a data frame or a JAX array.
EXTRAS = ("sklearn", "matplotlib", "pandas", "jax")


@contextlib.contextmanager
def without_keras_extras() -> Iterator[None]:
    """Let packages of EXTRAS be missing for what is imported meanwhile, and be importable again afterwards.

    Where all of them are installed, they take half of the seconds that `import tensorflow` takes. One that is imported
    already stays, and so does JAX where Keras is asked to run on it.
    """
    needed = os.environ.get("KERAS_BACKEND", "tensorflow")
    hidden = [name for name in EXTRAS if name not in sys.modules and name != needed]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: no module of this name can be imported
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, sys) is None:
                del sys.modules[name]
