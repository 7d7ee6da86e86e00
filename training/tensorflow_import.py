"""Import TensorFlow without its start-up chatter, set for repeatable runs; a failure keeps its words."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile

from schemas.errors import UserError


def import_tensorflow() -> None:
    """Import TensorFlow once, quietly, and let it run one operation at a time on a CPU.

    Operations side by side add gradients in the order in which they come ready, so that two runs of one seed would
    differ in their last bits; each operation still uses all cores, and the step costs the same.

    Its C++ logging writes to the descriptor of stderr before any of its settings for silence is read, so the
    descriptor itself is turned away meanwhile.

    Raises:
        UserError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and errors of the time after the import
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as words:
        os.dup2(words.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except ModuleNotFoundError as error:
            raise UserError(
                f"{error.name} is not installed; pip install 'tagscale[train]', or 'tagscale[train-cpu]' without a GPU"
            ) from error
        except BaseException:
            os.dup2(kept, 2)
            words.seek(0)
            sys.stderr.write(words.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    tensorflow = sys.modules["tensorflow"]
    if not tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
