"""Decode text files and split them into lines, for all readers of line-based files.

A line ends only with LF, CR LF or CR. `str.splitlines` also splits at U+0085, U+2028, form feeds and other characters that a
tag or a title may contain, so that a list would have more lines than were written.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from schemas.console.errors import UserError

_LINE_END = re.compile(r"\r\n|\n|\r")
_LINE_END_BYTES = re.compile(rb"\r\n|\n|\r")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK = 1 << 24  # bytes decoded at a time when only their validity matters


def lines_of(text: str) -> list[str]:
    """The lines of a text without their ends; text after the last end is a line unless it is empty."""
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def each_line(text: str) -> Iterator[str]:
    """The lines of a text one by one, like `lines_of`."""
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
    """A name for a one-line error: unchanged, or quoted if it contains unprintable characters."""
    return name if name.isprintable() else repr(name)


def is_encodable(text: str) -> bool:
    """False for text with half of a surrogate pair, which JSON can express but UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8_of(data: bytes, where: str) -> bytes:
    """The bytes of a text file as UTF-8 without byte order marks; UTF-16 with such a mark is converted.

    Args:
        data: The whole file.
        where: Kind and name of the file, for the errors.

    Raises:
        UserError: it has another encoding, or it contains a NUL, which is not text.
    """
    if data.startswith(_UTF16_MARKS):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:
            raise UserError(f"{where}: expected UTF-8 text, received broken UTF-16; save it as UTF-8") from error
    while data.startswith(codecs.BOM_UTF8):  # two editors, or a program and an editor, may each have added one
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
    """Raise UnicodeDecodeError, with the position in the whole, unless the bytes are UTF-8; takes little memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _BLOCK):
            decoder.decode(data[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        data.decode()
        raise
