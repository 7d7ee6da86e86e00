"""What a command reports at its end: lines and tables, whatever they are printed as."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from schemas.console.terminal import visible

Kind = Literal["heading", "fact", "warning", "problem", "next"]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of text.

    Attributes:
        text: with its indent.
        kind: what it says: a heading, a fact, a warning, a problem that was found, or what to type next.
    """

    text: str
    kind: Kind = "fact"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: above it; empty for none.
        width: least width in letters; 0 leaves each cell as wide as its text.
        right: align to the right, as numbers are.
        gap: what stands before a cell.
    """

    title: str = ""
    width: int = 0
    right: bool = False
    gap: str = "  "

    def cell(self, text: str) -> str:
        """The gap and a text of this column, padded; an empty one costs nothing where cells are not padded."""
        if not text and not self.width:
            return ""
        return self.gap + (f"{text:>{self.width}}" if self.right else f"{text:<{self.width}}")


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of text under titles; without any title, rows alone.

    Attributes:
        columns: from left to right; the gap of the first is the table's indent.
        rows: a cell for each column.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def titles(self) -> tuple[str, ...]:
        return tuple(column.title for column in self.columns)

    def lines(self) -> Iterator[str]:
        """The table in plain text."""
        for row in ([self.titles] if any(self.titles) else []) + list(self.rows):
            yield "".join(column.cell(text) for column, text in zip(self.columns, row, strict=True))


@dataclasses.dataclass(frozen=True)
class Report:
    """Lines and tables in their order."""

    parts: tuple[Line | Table, ...]

    @classmethod
    def of(cls, parts: Iterable[Line | Table]) -> Report:
        return cls(tuple(parts))

    def lines(self) -> list[str]:
        """The report in plain text, harmless on a terminal, a line each."""
        found: list[str] = []
        for part in self.parts:
            found += [part.text] if isinstance(part, Line) else part.lines()
        return list(map(visible, found))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def only(self, *kinds: Kind) -> Report:
        """The lines of some kinds alone."""
        return Report.of(part for part in self.parts if isinstance(part, Line) and part.kind in kinds)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON holds it: `parts`, each a `line` with its kind, or a `table` with its columns and rows."""
        return {"parts": [_fields(part) for part in self.parts if part != Line("")]}


def heading(text: str) -> Line:
    """What the report is about, or a part of it."""
    return Line(text, "heading")


def warning(text: str) -> Line:
    """A warning, indented as facts are."""
    return Line(f"  warning: {text}", "warning")


def problem(text: str) -> Line:
    """A problem that was found, indented as facts are."""
    return Line(f"  problem: {text}", "problem")


def following(words: str, *, word: str = "next") -> Line:
    """What to type next."""
    return Line(f"{word}: {words}", "next")


def widest(texts: Sequence[str]) -> int:
    """Letters of the longest text; 0 where there is none."""
    return max(map(len, texts), default=0)


def _fields(part: Line | Table) -> dict[str, Any]:
    if isinstance(part, Line):
        return {"kind": part.kind, "line": part.text.strip()}
    rows = [[cell.strip() for cell in row] for row in part.rows]
    return {"kind": "table", "columns": list(part.titles), "rows": rows}
