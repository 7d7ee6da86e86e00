"""The bar that a terminal shows: one line, drawn over itself.

It has no escape codes and leaves the cursor as it is. A command that is stopped or killed at any moment leaves a terminal
as it found it, and a carriage return with blanks wipes the bar.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from schemas.console.terminal import columns_of, hide_bar, show_bar, unguarded, visible

if TYPE_CHECKING:
    from rich.console import Console

REFRESH_SECONDS = 0.1
_LEAST_COLUMNS, _MOST_COLUMNS = 5, 30  # of the bar itself; long words leave it less room


class Bar:
    """A bar with words beside it.

    Args:
        what: what is being done, such as `decode`.
        stream: a terminal.
    """

    def __init__(self, what: str, stream: TextIO) -> None:
        self._what, self._stream = visible(what), unguarded(stream)
        self._done = self._total = 0
        self._words = ""
        self._drawn = 0.0  # by time.monotonic()

    def update(self, done: int, total: int, words: str) -> None:
        """Show how much is done of a total, unless the last time was a moment ago.

        Args:
            done: units.
            total: units; 0 where it is not known yet, and nothing is shown.
            words: beside the bar, such as the rate.
        """
        self._done, self._total, self._words = done, total, visible(words)
        if time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self.refresh()

    def refresh(self) -> None:
        """Draw it now."""
        if not self._total:
            return
        line = self._line(columns_of(self._stream) - 1)
        show_bar(self._stream)
        self._stream.write(f"\r{line}")
        self._stream.flush()
        self._drawn = time.monotonic()

    def close(self) -> None:
        """Wipe it."""
        if self._drawn:
            hide_bar(self._stream)

    def _line(self, columns: int) -> str:
        # Only a terminal needs rich, which takes a while to import.
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        console: Console = Console(
            file=self._stream, width=columns, color_system=None, force_terminal=True, highlight=False, markup=False
        )
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True)
        what, words = Text(self._what), Text(self._words)
        room = columns - what.cell_len - 3  # for the bar and the words
        width = max(_LEAST_COLUMNS, min(_MOST_COLUMNS, room - words.cell_len))
        words.truncate(max(0, room - width), overflow="ellipsis")
        row.add_row(what, ProgressBar(self._total, self._done, width=width), words)
        with console.capture() as drawn:
            console.print(row)
        return drawn.get().partition("\n")[0].ljust(columns)
