"""Import TensorFlow without its start-up chatter; a failure keeps its words."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile

from schemas.errors import UserError


def import_tensorflow() -> None:
    """Import TensorFlow once, quietly.

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
