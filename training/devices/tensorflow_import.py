"""Import TensorFlow without its start-up chatter, set for repeatable runs; a failure keeps its message."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
import tempfile

from schemas.console.errors import UserError
from schemas.console.interpreter import missing_words
from schemas.console.keras_extras import without_keras_extras
from schemas.console.stopping import stopped_at_once
from schemas.console.terminal import say

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BYTES = 1 << 30  # 1 GiB


def import_tensorflow() -> None:
    """Import TensorFlow once, quietly, and let it run one operation at a time on a CPU.

    Operations side by side add gradients in the order in which they become ready, so that two runs with one seed would
    differ in their last bits; each operation still uses all cores, and the step takes as long.

    Its C++ logging writes to the file descriptor of stderr before it reads any setting that would silence it, so the
    descriptor itself is redirected meanwhile.

    Raises:
        UserError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules:
        return
    _keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # for messages after the import: hides those below errors
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as words:
        os.dup2(words.fileno(), 2)
        try:
            with stopped_at_once(), without_keras_extras():
                importlib.import_module("tensorflow")
        except ModuleNotFoundError as error:
            if not (advice := missing_words(error.name or "")):
                raise
            raise UserError(advice) from error
        except Exception:
            os.dup2(kept, 2)
            words.seek(0)
            say(*words.read().decode(errors="replace").splitlines(), file=sys.stderr, level="error")
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    tensorflow = sys.modules["tensorflow"]
    if not tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def _keep_freed_memory() -> None:
    """Let glibc's malloc keep large blocks for reuse, instead of returning them to the kernel.

    Batches and activations are megabytes that come and go with every step. If they are mapped again each time, their
    pages are faulted in and zeroed each time, which took half of the time of reading batches.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
