"""Cells that a spreadsheet would run as formulas are text there, and the way back gives the same names."""

from __future__ import annotations

import pytest

from schemas.user_files.spreadsheet import text_cell, text_of_cell

FORMULAS = ('=HYPERLINK("http://x","y")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x")
ORDINARY = ("rock", "音楽", "", "a=b", "drum-and-bass", "'90s", "''", " =1", "50%", "#1")


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_becomes_text(name: str) -> None:
    assert text_cell(name) == f"'{name}"


@pytest.mark.parametrize("name", ORDINARY)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert text_cell(name) == name


@pytest.mark.parametrize("name", [*FORMULAS, *ORDINARY, "'=1", "''+1", "'-"])
def test_every_name_comes_back(name: str) -> None:
    assert text_of_cell(text_cell(name)) == name


def test_two_names_never_share_a_cell() -> None:
    names = ["=1", "'=1", "''=1", "1", "'1"]
    assert len({text_cell(name) for name in names}) == len(names)
