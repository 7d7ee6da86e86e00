"""In pages made from templates, values from outside stay text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from schemas.console import page
from schemas.console.page import number, render_page
from tests.html_reader import Reader

HOSTILE = "<b onload=x>\x1b[31m\x00\u202e'\" {{ title }}"
SHOWN = "<b onload=x>\\x1b[31m\\x00\\u202e'\" {{ title }}"
TEMPLATE = """{% extends "base.html" %}
{% from "parts.html" import bullets, tile %}
{% block body %}
{{ bullets([words]) }}
{{ tile(words, 1) }}
<p title="{{ words }}">{{ words }}</p>
<p>{{ [words, words]|join(" and ") }}</p>
{% endblock %}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a template."""
    (tmp_path / "package_of_pages" / "templates").mkdir(parents=True)
    (tmp_path / "package_of_pages" / "__init__.py").touch()
    (tmp_path / "package_of_pages" / "templates" / "sample.html").write_text(TEMPLATE)
    monkeypatch.syspath_prepend(tmp_path)
    page._environment.cache_clear()
    return "package_of_pages"


def test_text_from_outside_is_neither_markup_nor_control_characters(package: str) -> None:
    rendered = render_page(package, "sample.html", title=HOSTILE, words=HOSTILE)
    reader = Reader(rendered)
    assert reader.elements.count("b") == 1  # the one in the tile
    assert reader.texts.count(SHOWN) == 4
    assert f"{SHOWN} and {SHOWN}" in reader.texts
    assert ("title", SHOWN) in reader.attributes
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert not set("\x1b\x00\u202e") & set(rendered)


def test_lines_and_letters_of_all_alphabets_stay(package: str) -> None:
    words = "tags:\n  音楽: ö"
    assert words in Reader(render_page(package, "sample.html", title="any", words=words)).texts


def test_a_fact_that_is_not_given_is_an_error_and_no_gap(package: str) -> None:
    with pytest.raises(UndefinedError, match="'words' is undefined"):
        render_page(package, "sample.html", title="any")


def test_a_page_holds_its_style(package: str) -> None:
    reader = Reader(render_page(package, "sample.html", title="any", words="any"))
    assert "link" not in reader.elements
    (style,) = [text for text in reader.texts if ".tiles {" in text]
    assert "prefers-color-scheme: dark" in style


@pytest.mark.parametrize(
    ("value", "spec", "shown"),
    [
        (1234, ",", "1,234"),
        (0.12345, ".2%", "12.35%"),
        (7, "03d", "007"),
        (math.nan, ".4f", "–"),
        (math.inf, ".4f", "–"),
        (None, ",", "–"),
        ("text", ",", "–"),
    ],
)
def test_numbers_are_formatted_and_what_is_none_is_a_dash(value: object, spec: str, shown: str) -> None:
    assert number(value, spec) == shown
