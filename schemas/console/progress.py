"""Progress of long work: a bar on a terminal, plain lines in a log, both with rate and remaining time."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from schemas.console.bar import Bar
from schemas.console.terminal import is_terminal, say, say_event, visible
from schemas.console.verbosity import verbosity

LOG_SECONDS = 15.0  # between two lines in a log


class Progress:
    """Counts up to a total.

    With --quiet nothing is shown, and with --log-json the lines of a log are JSON objects.

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
        chosen = verbosity()
        has_bar = is_terminal(sys.stderr) and not chosen.quiet and not chosen.as_json
        self._bar = Bar(what, sys.stderr) if has_bar else None
        if self._bar is not None:
            self._bar.update(0, total, self._words())

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
        self._done = done
        if self._bar is not None:
            self._bar.update(done, self._total, self._words())
        elif time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            if verbosity().as_json:
                self._say_json()
            else:
                say(f"{self._what}: {self._words()}", file=sys.stderr)

    def update_of(self, done: int, total: int) -> None:
        """Say how much is done of a total that was not known before."""
        self._total = total
        self.update(done)

    def _words(self) -> str:
        rate, seconds = self._pace()
        remaining = "no estimate yet" if seconds is None else f"{seconds:.0f} s left"
        note = f", {self._note}" if self._note else ""
        return f"{self._done:,} of {self._total:,} {self._unit}, {rate:.1f}/s, {remaining}{note}"

    def _say_json(self) -> None:
        rate, seconds = self._pace()
        say_event(
            "info",
            "progress",
            file=sys.stderr,
            what=self._what,
            done=self._done,
            total=self._total,
            unit=self._unit,
            per_second=round(rate, 3),
            seconds_left=None if seconds is None else round(seconds, 1),
            note=self._note,
        )

    def _pace(self) -> tuple[float, float | None]:
        """Units a second, and seconds left where that can be told."""
        elapsed = time.monotonic() - self._started
        rate = (self._done - self._first) / elapsed if elapsed > 0 else 0.0
        return rate, (self._total - self._done) / rate if rate > 0 else None
