"""Words on a terminal: what comes from outside is shown there and never obeyed.

A track's id, a tag, a file's name or a decoder's words may hold escape sequences, line breaks or marks that turn the
order of letters around. All that these packages print goes through `say` or `say_json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from typing import Any, TextIO, cast

from schemas.console.verbosity import Level, is_shown, level_of, verbosity

# Control characters (C0, DEL, C1), separators of lines and paragraphs, overrides of the direction of writing, and what
# stands for bytes of a file's name that are no UTF-8.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_COLUMNS = 80  # of a terminal that does not say
_bars: list[TextIO] = []  # the terminal that shows a progress bar now


def visible(text: str, keep: str = "") -> str:
    r"""Text with each such character spelled out, as `\x1b`; all other letters stay.

    Args:
        text: from anywhere.
        keep: characters that are meant, such as line breaks.
    """
    return _UNSAFE.sub(lambda one: one[0] if one[0] in keep else one[0].encode("unicode_escape").decode(), text)


def say(*lines: str, file: TextIO | None = None, level: Level | None = None) -> None:
    """Print lines; each is one, whatever is in it.

    With --quiet those that are neither warnings nor errors are left out, and with --log-json each is a JSON object.

    Args:
        lines: without their ends.
        file: where to [default: sys.stdout].
        level: of all lines [default: what each begins with, such as `warning:`].
    """
    if verbosity().as_json:
        for line in lines:
            if line:
                rank = level or level_of(line)
                say_event(rank, "message", file=file, message=line.strip().removeprefix(f"{rank}: "))
        return
    shown = [line for line in lines if is_shown(level or level_of(line))]
    if shown or not lines:
        _clear_bars()
        print(*map(visible, shown), sep="\n", file=file, flush=True)


def say_event(level: Level, event: str, *, file: TextIO | None = None, **fields: Any) -> None:
    """Print a JSON object on one line, unless --quiet leaves out its level.

    Args:
        level: how much it matters.
        event: what it is: `message`, `progress` or `summary`.
        file: where to [default: sys.stdout].
        fields: what belongs to the event.
    """
    if is_shown(level):
        _print_json({"level": level, "event": event, **fields}, file)


def say_json(fields: Any, *, indent: int | None = None, sort_keys: bool = False) -> None:
    """Print JSON that holds the same text, with such characters escaped as JSON escapes them."""
    _print_json(fields, None, indent=indent, sort_keys=sort_keys)


def _print_json(fields: Any, file: TextIO | None, *, indent: int | None = None, sort_keys: bool = False) -> None:
    text = json.dumps(fields, indent=indent, sort_keys=sort_keys, ensure_ascii=False)
    safe = _UNSAFE.sub(lambda one: one[0] if one[0] == "\n" else f"\\u{ord(one[0]):04x}", text)
    _clear_bars()
    print(safe, file=file, flush=True)


def guard_terminal() -> None:
    """Do the same to what others write on this process's streams: warnings, logs, tracebacks, the help of commands."""
    sys.stdout, sys.stderr = (cast(TextIO, _Guarded(stream)) for stream in (sys.stdout, sys.stderr))


def unguarded(stream: TextIO) -> TextIO:
    """The stream below a guard, for a progress bar, which moves the cursor."""
    return getattr(stream, "unguarded", stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads the stream on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns_of(stream: TextIO) -> int:
    """Columns of a terminal."""
    with contextlib.suppress(OSError):  # it may be gone
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    return _COLUMNS


def wipe_line(stream: TextIO) -> None:
    """Empty the line that the cursor is on, where a progress bar or the ^C that a terminal shows may stand."""
    if stream.isatty():
        stream.write(f"\r{' ' * (columns_of(stream) - 1)}\r")


def show_bar(stream: TextIO) -> None:
    """Say that a terminal shows a progress bar, so that lines are printed in its place; it is drawn anew below them.

    Args:
        stream: unguarded.
    """
    if stream not in _bars:
        _bars.append(stream)


def hide_bar(stream: TextIO) -> None:
    """Wipe the progress bar of a terminal, if it shows one."""
    if stream in _bars:
        _bars.remove(stream)
        wipe_line(stream)
        stream.flush()


def forget_bars() -> None:
    """Leave progress bars as they stand, where the process ends in the middle of anything and wipes the line itself."""
    _bars.clear()


def _clear_bars() -> None:
    for stream in list(_bars):
        hide_bar(stream)


class _Guarded:
    """A stream whose text is made visible on its way; lines are kept, since a writer may end several at a time."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        self.unguarded.write(visible(text, keep="\n\t"))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)
