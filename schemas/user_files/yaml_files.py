"""Read YAML as a user writes it: one document of fields, lists and text, with every scalar kept as it is written.

YAML guesses types: `007` becomes 7, `12:30` becomes 750, `no` becomes false, a date becomes a date. A tag may have any of
these names. Here a scalar is text, and its field parses a number or a boolean from it. Features that can make a small file
large or ambiguous (anchors and aliases, merge keys, equal keys, type tags, several documents) are refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from schemas.console.errors import UserError
from schemas.storage.files import read_bytes
from schemas.user_files.text_lines import lines_of, text_of

MOST_BYTES = 1 << 20  # largest file: enough for 50,000 tags and more, and read within a second
MOST_VALUES = 150_000  # keys, texts, lists and groups: a file could hold half a million, which would take seconds
_DEEPEST = 20  # levels of nested lists and fields
_SHOWN = 80  # letters of a value that an error shows

_STR_TAGS = ("!", "tag:yaml.org,2002:str")
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = ("", "~", "null")
# Line ends in YAML 1.1, but ordinary characters in YAML 1.2 and every editor. Here they are ordinary characters too.
_FORMER_LINE_ENDS = "\x85\u2028\u2029"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")

# Their substitutes: private-use characters, then more unassigned ones, of four bytes each, than a file can hold.
_STAND_INS = (range(0xE000, 0xF8FF), range(0x40000, 0x40000 + MOST_BYTES // 4 + len(_FORMER_LINE_ENDS)))

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class YamlText(str):
    """A scalar as it is written.

    Attributes:
        line: Line on which it begins, from 1.
        is_quoted: True if it is quoted or a block, so that it is text whatever its content.
    """

    line: int
    is_quoted: bool

    def __new__(cls, text: str, line: int = 0, is_quoted: bool = False) -> YamlText:
        made = super().__new__(cls, text)
        made.line, made.is_quoted = line, is_quoted
        return made


def read_yaml(uri: str, what: str) -> Any:
    """The content of a YAML file: dictionaries with YamlText keys, lists, and YamlText; None for an empty file.

    Args:
        uri: URI of the file.
        what: Kind of file, for the errors.

    Raises:
        UserError: the file does not exist, is not YAML, exceeds `MOST_BYTES` or `MOST_VALUES`, or uses a feature that the
            module refuses.
    """
    where = f"{what} {uri}"
    try:
        data = read_bytes(uri)
    except FileNotFoundError as error:
        raise UserError(f"{where}: no such file; check the path") from error
    except OSError as error:
        raise UserError(f"{where}: cannot be read: {error.strerror or error}; check the path") from error
    if len(data) > MOST_BYTES:
        raise UserError(
            f"{where}: expected at most {MOST_BYTES:,} bytes, received {len(data):,}; leave out what is not needed"
        )
    return parse_yaml(text_of(data, where), where)


def parse_yaml(text: str, where: str) -> Any:
    """The content of a YAML text, as from `read_yaml`; `where` is the file's name, for the errors."""
    if strange := _CONTROL.search(text):
        line = len(lines_of(text[: strange.end()]))
        raise UserError(f"{where}: line {line}: expected text, received the control letter {strange[0]!a}; remove it")
    stand_ins = _stand_ins(text)
    try:
        return _Reader(text.translate(stand_ins), where, {value: key for key, value in stand_ins.items()}).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{where}: {place}expected YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{where}: expected YAML: {' '.join(str(error).split())}") from error


def whole_number(value: object) -> int | None:
    """The integer of a scalar in decimal digits; None for anything else."""
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def number(value: object) -> float | None:
    """The number of a scalar; None for anything else."""
    try:
        return float(value) if isinstance(value, str) and "_" not in value else None
    except ValueError:
        return None


def boolean(value: object) -> bool | None:
    """The boolean of a scalar in the spellings of YAML 1.1; None for anything else."""
    return _BOOLEANS.get(value.lower()) if isinstance(value, str) else None


def is_nothing(value: object) -> bool:
    """True for a field that is empty or null."""
    return isinstance(value, YamlText) and not value.is_quoted and value.lower() in _NOTHING


def shown(value: object) -> str:
    """A value for an error, shortened if it is long."""
    text = "nothing" if is_nothing(value) and not value else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} letters)"


class _Reader:
    """Builds a document from the parser's events."""

    def __init__(self, text: str, where: str, restored: dict[int, int]) -> None:
        self._events: Iterator[Event] = yaml.parse(text, Loader=_Loader)
        self._where, self._restored = where, restored
        self._values = 0

    def document(self) -> Any:
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "expected one document, received another after ---; remove one of them")
                value = self._value(next(self._events), 0)
            elif not isinstance(event, StreamStartEvent | StreamEndEvent | DocumentEndEvent):
                raise self._error(event, "expected one document")
        return None if is_nothing(value) else value

    def _value(self, event: Event, depth: int) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._error(
                event, f"expected at most {MOST_VALUES:,} values in a file, received more; leave some out"
            )
        if isinstance(event, ScalarEvent):
            if event.anchor is not None or event.tag is not None:
                self._check(event, depth)
            text = event.value.translate(self._restored) if self._restored else event.value
            return YamlText(text, _line(event), not event.implicit[0] or bool(event.style))
        self._check(event, depth)
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(item := next(self._events), SequenceEndEvent):
                items.append(self._value(item, depth + 1))
            return items
        fields: dict[YamlText, Any] = {}
        while not isinstance(key_event := next(self._events), MappingEndEvent):
            key = self._key(key_event, fields, depth)
            fields[key] = self._value(next(self._events), depth + 1)
        return fields

    def _key(self, event: Event, fields: dict[YamlText, Any], depth: int) -> YamlText:
        if isinstance(event, SequenceStartEvent | MappingStartEvent):
            raise self._error(event, "expected text as a key, received a list or fields")
        key: YamlText = self._value(event, depth)
        if key == "<<" and not key.is_quoted:
            raise self._error(event, "merge keys (<<) are not read; write the fields out")
        if key in fields:
            before = next(other.line for other in fields if other == key)
            raise self._error(event, f"expected each key once, found {shown(key)} on line {before} too; remove one")
        return key

    def _check(self, event: Event, depth: int) -> None:
        if isinstance(event, AliasEvent):
            raise self._error(event, f"aliases (*{event.anchor}) are not read; write it out")
        if isinstance(event, NodeEvent) and event.anchor is not None:
            raise self._error(
                event, f"anchors (&{event.anchor}) are not read; remove it, and write out what it stands for"
            )
        tag = getattr(event, "tag", None)
        if tag is not None and not (isinstance(event, ScalarEvent) and tag in _STR_TAGS):
            raise self._error(event, f"type tags ({shown(tag)}) are not read; remove it")
        if depth > _DEEPEST:
            raise self._error(event, f"expected at most {_DEEPEST} lists and fields within each other, received more")

    def _error(self, event: Event, problem: str) -> UserError:
        return UserError(f"{self._where}: line {_line(event)}: {problem}")


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _stand_ins(text: str) -> dict[int, int]:
    """Meaningless characters that are not in the text, as substitutes for those that the parser takes for line ends."""
    if not any(letter in text for letter in _FORMER_LINE_ENDS):
        return {}
    used = set(text)
    free = (code for code in itertools.chain(*_STAND_INS) if chr(code) not in used)
    return {ord(letter): next(free) for letter in _FORMER_LINE_ENDS}
