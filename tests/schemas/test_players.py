from __future__ import annotations

from pathlib import Path

import pytest

from schemas.players import player_source


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://host/a.mp3", "https://host/a.mp3"),
        ("gs://bucket/a.mp3", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_browser_gets_what_it_can_fetch(uri: str, source: str | None) -> None:
    assert player_source(uri, "page.html") == source


def test_a_file_is_named_from_the_page(tmp_path: Path) -> None:
    odd = tmp_path / "a:b #?.mp3"
    odd.touch()
    assert player_source(str(odd), str(tmp_path / "page.html")) == "a%3Ab%20%23%3F.mp3"
    assert player_source(str(odd), "gs://bucket/page.html") == odd.as_uri()
