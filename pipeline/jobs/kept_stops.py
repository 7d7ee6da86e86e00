"""Let a stop by a signal escape from a local Beam job, whose worker takes it for a failure of its work."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def kept_stops() -> Iterator[None]:
    """At the end of the body, re-raise what a signal's handler raised in it: `Stopped` or KeyboardInterrupt.

    A Beam worker in this process runs in the main thread, and wraps any exception raised there in an error of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised: list[BaseException] = []
    handlers = {number: handler for number in _STOPS if callable(handler := signal.getsignal(number))}
    for number, handler in handlers.items():
        signal.signal(number, _keeping(handler, raised))
    try:
        yield
    except Exception as error:
        if raised:
            raise raised[0] from error
        raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if raised:
        raise raised[0]


def _keeping(handler: Callable[..., Any], raised: list[BaseException]) -> Callable[[int, FrameType | None], None]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as stop:
            raised.append(stop)
            raise

    return on_signal
