"""Read a checkpoint of TensorFlow 1, without its graph."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schemas.console.errors import UserError
from training.published.package_files import ADVICE, DATA_NAME, INDEX_NAME, PackageFiles

_OPTIMIZER = ("/Adam", "/Adam_1", "beta1_power", "beta2_power")  # ends of names of variables that only a training needs


def read_checkpoint(files: PackageFiles) -> dict[str, npt.NDArray[np.float32]]:
    """Name -> value of each variable of a model, without those of its optimizer.

    Raises:
        UserError: the checkpoint is damaged; TensorFlow checks a sum of each variable.
    """
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "weights")
        for name, data in ((INDEX_NAME, files.index), (DATA_NAME, files.data)):
            with open(f"{prefix}{name}", "wb") as file:
                file.write(data)
        try:
            reader = tf.train.load_checkpoint(prefix)
            names = sorted(name for name in reader.get_variable_to_shape_map() if not name.endswith(_OPTIMIZER))
            return {name: reader.get_tensor(name) for name in names}
        except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
            words = " ".join(str(error).replace(prefix, "").split())[:200]
            raise UserError(f"{files.where}: expected a whole TensorFlow checkpoint: {words}; {ADVICE}") from error
