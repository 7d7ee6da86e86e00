"""Progress of long work: a bar on a terminal, plain lines in a log, both with rate and remaining time."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from schemas.console.terminal import say, unguarded, visible

LOG_SECONDS = 15.0  # between two lines in a log


class Progress:
    """Counts up to a total.

    Args:
        what: what is being done, such as `decode`.
        total: how many units there are.
        unit: their name, such as `tracks`.
    """

    def __init__(self, what: str, total: int, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = self._first = 0
        self._note = ""
        self._started = time.monotonic()
        self._logged = self._started
        self._bar = (
            tqdm(total=total, desc=what, unit=f" {unit}", leave=False, file=unguarded(sys.stderr))
            if sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def start_at(self, done: int) -> None:
        """Say how much was done before, which does not count towards the rate."""
        self._first = done
        self.update(done)

    def update(self, done: int, note: str = "") -> None:
        """Say how much is done, with a note such as the loss."""
        self._note = visible(note)
        if self._bar is not None:
            self._bar.set_postfix_str(self._note, refresh=False)
            self._bar.update(done - self._done)
        self._done = done
        if self._bar is None and time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            say(self._line(), file=sys.stderr)

    def update_of(self, done: int, total: int) -> None:
        """Say how much is done of a total that was not known before."""
        self._total = total
        if self._bar is not None:
            self._bar.total = total
        self.update(done)

    def _line(self) -> str:
        elapsed = time.monotonic() - self._started
        rate = (self._done - self._first) / elapsed
        remaining = f"{(self._total - self._done) / rate:.0f} s left" if rate > 0 else "no estimate yet"
        note = f", {self._note}" if self._note else ""
        return f"{self._what}: {self._done:,} of {self._total:,} {self._unit}, {rate:.1f}/s, {remaining}{note}"
