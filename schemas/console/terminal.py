"""Words on a terminal: what comes from outside is shown there and never obeyed.

A track's id, a tag, a file's name or a decoder's words may hold escape sequences, line breaks or marks that turn the
order of letters around. All that these packages print goes through `say` or `say_json`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, TextIO, cast

# Control characters (C0, DEL, C1), separators of lines and paragraphs, overrides of the direction of writing, and what
# stands for bytes of a file's name that are no UTF-8.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_COLUMNS = 80  # of a terminal that does not say


def visible(text: str, keep: str = "") -> str:
    r"""Text with each such character spelled out, as `\x1b`; all other letters stay.

    Args:
        text: from anywhere.
        keep: characters that are meant, such as line breaks.
    """
    return _UNSAFE.sub(lambda one: one[0] if one[0] in keep else one[0].encode("unicode_escape").decode(), text)


def say(*lines: str, file: TextIO | None = None) -> None:
    """Print lines; each is one, whatever is in it.

    Args:
        lines: without their ends.
        file: where to [default: sys.stdout].
    """
    print(*map(visible, lines), sep="\n", file=file, flush=True)


def say_json(fields: Any, *, indent: int | None = None, sort_keys: bool = False) -> None:
    """Print JSON that holds the same text, with such characters escaped as JSON escapes them."""
    text = json.dumps(fields, indent=indent, sort_keys=sort_keys, ensure_ascii=False)
    print(_UNSAFE.sub(lambda one: one[0] if one[0] == "\n" else f"\\u{ord(one[0]):04x}", text), flush=True)


def guard_terminal() -> None:
    """Do the same to what others write on this process's streams: warnings, logs, tracebacks, the help of commands."""
    sys.stdout, sys.stderr = (cast(TextIO, _Guarded(stream)) for stream in (sys.stdout, sys.stderr))


def unguarded(stream: TextIO) -> TextIO:
    """The stream below a guard, for a progress bar, which moves the cursor."""
    return getattr(stream, "unguarded", stream)


def wipe_line(stream: TextIO) -> None:
    """Empty the line that the cursor is on, where a progress bar or the ^C that a terminal shows may stand."""
    if stream.isatty():
        columns = os.get_terminal_size(stream.fileno()).columns or _COLUMNS
        stream.write(f"\r{' ' * (columns - 1)}\r")


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
