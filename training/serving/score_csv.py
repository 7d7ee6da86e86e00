"""CSV files of scores: RFC 4180 in UTF-8, with a column for each tag and numbers that are read back as the same floats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from schemas.user_files.spreadsheet import text_cell


def open_csv(path: str) -> TextIO:
    """A new file for `csv.writer`, whose own line ends are kept; bytes of a name that are no UTF-8 are spelled out."""
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


def header_cells(first: Sequence[str], tags: Sequence[str]) -> list[str]:
    """The names of the columns.

    Args:
        first: names of the columns before those of the tags.
        tags: in the model's order. People open these files in spreadsheets: see `text_cell`.
    """
    return [*first, *map(text_cell, tags)]


def number_cells(numbers: Iterable[float]) -> list[str]:
    """Numbers with the fewest digits that a float64 is restored from exactly."""
    return [repr(float(number)) for number in numbers]
