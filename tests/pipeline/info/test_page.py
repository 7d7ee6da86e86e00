from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.info.overview import info
from pipeline.info.page import page
from tests.html_reader import Reader

NASTY = "<script>alert('x')</script> & \"quoted\""


@pytest.fixture
def drawn(dataset: Path, small_corpus, lay) -> str:
    """A page with everything that can be drawn, with malicious names."""
    tracks = [row[0] for row in small_corpus.rows]
    rows = [
        *((track, NASTY, 0.9) for track in tracks[:3]),
        *((track, NASTY + "s", 0.3) for track in tracks[2:9]),
        *((track, tag, 0.7) for track in tracks[:9] for tag in ("vocal", "vocals")),
    ]
    lay("name: graded\nvalues: graded\nmissing: unknown\npositive_at: 0.2\n", rows)
    lay("name: plain\n", rows)
    return page(info(str(dataset)))


def test_names_of_users_are_text_and_never_elements(drawn: str) -> None:
    reader = Reader(drawn)
    assert "script" not in reader.elements
    assert NASTY in reader.texts
    assert "vocal: [vocals]" in "".join(reader.texts)


def test_the_page_is_whole_and_needs_nothing_else(drawn: str) -> None:
    reader = Reader(drawn)
    assert reader.elements[0] == "html"
    assert not {"link", "img", "iframe", "object"} & set(reader.elements)
    assert not [name for name, _ in reader.attributes if name in ("src", "href") or name.startswith("on")]
    assert "url(" not in drawn
    assert "@import" not in drawn


def test_bars_are_as_many_as_values_and_as_high_as_counts(drawn: str, dataset: Path) -> None:
    reader = Reader(drawn)
    graded = info(str(dataset), "graded").labels[0]
    assert reader.elements.count("svg") == len(graded.tags)
    assert reader.elements.count("rect") == 10 * len(graded.tags)
    assert "0.9 to 1.0: 3" in reader.texts


def test_the_same_dataset_gives_the_same_page(drawn: str, dataset: Path) -> None:
    assert page(info(str(dataset))) == drawn


def test_a_dataset_without_label_sets_has_a_page_too(dataset: Path) -> None:
    assert "No label set was laid over it." in "".join(Reader(page(info(str(dataset)))).texts)
