"""The one way to print a command's report: plain lines, a JSON object, or tables and colours on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from schemas.console.report import Kind, Line, Report, Table
from schemas.console.terminal import hide_bar, is_terminal, say, say_event, say_json, unguarded, visible
from schemas.console.verbosity import verbosity

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_STYLES: dict[Kind, str] = {"heading": "bold", "fact": "", "warning": "yellow", "problem": "red", "next": "cyan"}


def print_report(report: Report) -> None:
    """Print a report on stdout.

    Where stdout is no terminal these are plain lines, always the same for the same report. With --quiet only its warnings
    and problems are printed.
    """
    chosen = verbosity()
    if chosen.quiet:
        report = report.only("warning", "problem")
    if not report.parts:
        return
    if chosen.as_json:
        say_event("info", "summary", **report.to_dict())
    elif is_terminal(sys.stdout):
        _print_styled(report)
    else:
        say(*report.lines(), level="warning" if chosen.quiet else None)


def print_fields(fields: Any, *, indent: int | None = None, sort_keys: bool = False) -> None:
    """Print what --json asks for: also with --quiet, and on one line with --log-json."""
    say_json(fields, indent=None if verbosity().as_json else indent, sort_keys=sort_keys)


def print_either(
    as_json: bool, fields: Callable[[], Any], report: Callable[[], Report], *, sort_keys: bool = False
) -> None:
    """Print a command's fields if it was given --json, and its report otherwise; only that one is made."""
    if as_json:
        print_fields(fields(), indent=2, sort_keys=sort_keys)
    else:
        print_report(report())


def _print_styled(report: Report) -> None:
    # Only a terminal needs rich, which takes a while to import.
    from rich.console import Console

    stream = unguarded(sys.stdout)
    console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
    hide_bar(unguarded(sys.stderr))
    with console.capture() as drawn:
        for part in report.parts:
            if isinstance(part, Line):
                _print_line(part, console)
            else:
                console.print(_rich_table(part))
    stream.write(drawn.get())
    stream.flush()


def _print_line(line: Line, console: Console) -> None:
    from rich.text import Text

    # The terminal breaks a long line itself, so that what is copied from it is still one line.
    console.print(Text(visible(line.text), _STYLES[line.kind]), soft_wrap=True)


def _rich_table(table: Table) -> RenderableType:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    has_titles = any(table.titles)
    drawn = RichTable(
        box=box.SIMPLE_HEAD if has_titles else None, show_header=has_titles, pad_edge=False, show_edge=False
    )
    used = [index for index, title in enumerate(table.titles) if title or any(row[index] for row in table.rows)]
    for index in used:
        justify: Any = "right" if table.columns[index].right else "left"
        drawn.add_column(Text(visible(table.titles[index])), justify=justify, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(visible(row[index])) for index in used))
    return Padding(drawn, (0, 0, 0, len(table.columns[0].gap)))
