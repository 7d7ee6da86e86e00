"""The parts of an HTML page that needs nothing else: its frame, tiles, lists and tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from schemas.console.page_style import STYLE
from schemas.console.terminal import visible

Cell = str | int  # HTML, or a count


def whole_page(title: str, parts: Iterable[str], style: str = "") -> str:
    """A page.

    Args:
        title: plain text.
        parts: of the body, HTML; empty ones are left out.
        style: rules of this page beside those that all pages share.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def text(plain: str) -> str:
    """Text from outside, as HTML; control characters in it, and marks that turn the order of letters, are spelled out."""
    return html.escape(visible(plain, keep="\n"))


def tiles(boxes: Iterable[tuple[str, str]]) -> str:
    """Boxes of a figure and what it is, both HTML."""
    drawn = "".join(f'<div class="tile"><b>{value}</b><span>{what}</span></div>' for value, what in boxes)
    return f'<div class="tiles">{drawn}</div>'


def bullets(sentences: Iterable[str]) -> str:
    """A list of findings, plain text."""
    return f'<ul class="findings">{"".join(f"<li>{text(one)}</li>" for one in sentences)}</ul>'


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table; columns whose title begins with # hold numbers.

    Args:
        head: titles, plain text.
        rows: cells, HTML or counts.
    """
    numbers = [title.startswith("#") for title in head]
    titles = "".join(
        f'<th class="number">{text(title[1:])}</th>' if number else f"<th>{text(title)}</th>"
        for title, number in zip(head, numbers, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(
            f'<td class="{"number" if number else "name"}">{f"{cell:,}" if isinstance(cell, int) else cell}</td>'
            for cell, number in zip(row, numbers, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
