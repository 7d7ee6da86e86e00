"""Text files: which bytes are text, and where their lines end. Whatever reads a file of lines cuts it here.

A line ends with LF, CR LF or CR and with nothing else. `str.splitlines` also cuts at U+0085, U+2028, form feeds and other
letters that a tag or a title may hold, so that a list would have more lines than were written.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from schemas.console.errors import UserError

_LINE_END = re.compile(r"\r\n|\n|\r")
_LINE_END_BYTES = re.compile(rb"\r\n|\n|\r")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK = 1 << 24  # bytes decoded at a time where only their validity matters


def lines_of(text: str) -> list[str]:
    """The lines of a text without their ends; what follows the last end is a line unless it is empty."""
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def each_line(text: str) -> Iterator[str]:
    """The lines of a text one by one, as `lines_of` gives them all."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def line_number(data: bytes, position: int) -> int:
    """The number of the line, from 1, that holds the byte at `position`."""
    return 1 + sum(1 for _ in _LINE_END_BYTES.finditer(data, 0, position))


def readable(name: str) -> str:
    """A name for an error of one line: as it is, or quoted where it holds letters that would not show in one."""
    return name if name.isprintable() else repr(name)


def is_encodable(text: str) -> bool:
    """False for a text with half of a surrogate pair, as JSON can write it: no file holds that as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8_of(data: bytes, where: str) -> bytes:
    """The bytes of a text file as UTF-8 without byte order marks; UTF-16 is read where it has such a mark.

    Args:
        data: the whole file.
        where: what the file is and its name, for the errors.

    Raises:
        UserError: it is in another encoding, or it holds a NUL, which no text does.
    """
    if data.startswith(_UTF16_MARKS):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:
            raise UserError(f"{where}: expected UTF-8 text, received broken UTF-16; save it as UTF-8") from error
    while data.startswith(codecs.BOM_UTF8):  # two editors, or a program and an editor, may each have put one there
        data = data.removeprefix(codecs.BOM_UTF8)
    if (nul := data.find(b"\0")) >= 0:
        raise UserError(
            f"{where}: line {line_number(data, nul)}: expected UTF-8 text, received a NUL byte; save it as UTF-8 text, or "
            "remove that letter"
        )
    try:
        _check_utf8(data)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: line {line_number(data, error.start)}: expected UTF-8 text, received the byte "
            f"0x{data[error.start]:02x}; save it as UTF-8"
        ) from error
    return data


def text_of(data: bytes, where: str) -> str:
    """The text of a file, as `utf8_of` reads it."""
    return utf8_of(data, where).decode()


def _check_utf8(data: bytes) -> None:
    """Raise UnicodeDecodeError, with the place in the whole, unless the bytes are UTF-8; takes little memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _BLOCK):
            decoder.decode(data[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        data.decode()
        raise
