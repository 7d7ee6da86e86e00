"""The parts of pages: what comes from outside is text there."""

from __future__ import annotations

from schemas.console.page import bullets, table, text, whole_page
from tests.html_reader import Reader

HOSTILE = "<b onload=x>\x1b[31m\x00\u202e'\""


def test_text_from_outside_is_neither_markup_nor_control_characters() -> None:
    page = whole_page(HOSTILE, [bullets([HOSTILE]), table([HOSTILE], [[text(HOSTILE)]])])
    reader = Reader(page)
    assert "b" not in reader.elements
    assert reader.texts.count("<b onload=x>\\x1b[31m\\x00\\u202e'\"") == 4
    assert not set("\x1b\x00\u202e") & set(page)


def test_lines_and_letters_of_all_alphabets_stay() -> None:
    assert text("tags:\n  音楽: ö") == "tags:\n  音楽: ö"
