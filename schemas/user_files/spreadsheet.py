"""Text in the CSV files that a person opens in a spreadsheet, which takes some of it for a formula and runs it."""

from __future__ import annotations

import re

# What a cell must not begin with (OWASP, "CSV Injection"): signs of a formula, also in full width, and white space that
# a spreadsheet passes over before one. A cell that begins with apostrophes and then such a sign gets one more, so that
# the way back is never in doubt.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def text_cell(text: str) -> str:
    """A name as a cell: with an apostrophe before it where a spreadsheet would run it, and else as it is.

    Only for tables that are looked at. Those that a command takes as its input, such as catalogs, hold ids and tags letter
    by letter.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """The text that `text_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
