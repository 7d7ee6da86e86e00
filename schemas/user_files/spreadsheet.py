"""Escape text in CSV files for spreadsheets, which would run some of it as formulas."""

from __future__ import annotations

import re

# Characters with which a cell must not begin (OWASP, "CSV Injection"): signs of a formula, also in full width, and white
# space that a spreadsheet skips before one. A cell that begins with apostrophes and then such a sign gets one more, so that
# unescaping is unambiguous.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def text_cell(text: str) -> str:
    """A name as a cell, with an apostrophe before it if a spreadsheet would run it.

    Use it only for tables that people read. Tables that are input to a command, such as catalogs, hold ids and tags
    unchanged.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """The text from which `text_cell` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
