"""Report in one line that any command ran out of memory, and what to do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from schemas.console.errors import TagscaleError

ADVICE = (
    "end other programs that use the memory of this device, set CUDA_VISIBLE_DEVICES=-1 to compute on the CPU, use a machine "
    "with more of it, or train a smaller model or with a smaller --batch-size"
)


@contextlib.contextmanager
def explained_out_of_memory() -> Iterator[None]:
    """Raise TagscaleError if the host's or a device's memory ran out; `training/fit/failures.py` gives details for a step.

    This does not import TensorFlow: if it is not imported, it has not failed.
    """
    try:
        yield
    except MemoryError as error:
        raise TagscaleError(f"out of memory; {ADVICE} ({_words(str(error))})") from error
    except Exception as error:
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is None or not isinstance(error, tensorflow.errors.ResourceExhaustedError):
            raise
        raise TagscaleError(f"out of memory; {ADVICE} ({_words(error.message)})") from error


def _words(message: str) -> str:
    return " ".join(message.split())[:200] or "without further details"
