"""How fast training goes: examples per second, and the share of the time spent waiting for data."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Literal


@dataclasses.dataclass
class Throughput:
    """Counts steps and their time.

    Attributes:
        examples: number of examples trained on.
        steps: number of steps taken.
        seconds: wall time of the steps.
        waiting: seconds of that time spent waiting for data.
    """

    examples: int = 0
    steps: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def timing(self) -> AbstractContextManager[None]:
        """Add the time that the body takes."""
        return self._adding_to("seconds")

    def waiting_for_data(self) -> AbstractContextManager[None]:
        """Add the time that the body takes to the waiting time."""
        return self._adding_to("waiting")

    @contextlib.contextmanager
    def _adding_to(self, total: Literal["seconds", "waiting"]) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            setattr(self, total, getattr(self, total) + time.monotonic() - began)

    @property
    def examples_per_second(self) -> float:
        return self.examples / self.seconds if self.seconds else 0.0

    @property
    def input_wait(self) -> float:
        """Share of the time spent waiting for data, 0 to 1."""
        return self.waiting / self.seconds if self.seconds else 0.0

    def since(self, before: Throughput) -> Throughput:
        """The counts since `before`, an earlier copy of this."""
        return Throughput(
            self.examples - before.examples,
            self.steps - before.steps,
            self.seconds - before.seconds,
            self.waiting - before.waiting,
        )
