"""The page of a search plays what lies where the plan says, and displays text from outside as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.search.page import write_page
from pipeline.search.similar import SimilarOptions, similar
from schemas.tags import SourceEntry
from tests.html_reader import Reader

Tracks = Callable[..., TaggedTracks]


def sources(page: Path) -> list[str | None]:
    reader = Reader(page.read_text(encoding="utf-8"))
    return [value for name, value in reader.attributes if name == "src"]


def test_the_page_plays_the_files_of_the_catalog(tagged: tuple[Path, TaggedTracks], tmp_path: Path) -> None:
    root, tracks = tagged
    (tmp_path / "audio").mkdir()
    found = similar(str(root), track=tracks.ids[0], options=SimilarOptions(4))
    near = [str(one.track_id) for one in found.neighbours]
    for track in (tracks.ids[0], *near[:3]):
        (tmp_path / "audio" / f"{track}.mp3").touch()
    (tmp_path / "pages").mkdir()
    page = tmp_path / "pages" / "page.html"
    write_page(found, str(page))
    spelled = [track.replace("ä", "%C3%A4").replace(" ", "%20") for track in (tracks.ids[0], *near[:3])]
    assert sources(page) == [f"../audio/{name}.mp3" for name in spelled]
    text = "".join(Reader(page.read_text(encoding="utf-8")).texts)
    assert f"{tmp_path}/audio/{near[3]}.mp3" in text  # it is not there, so its place is shown
    assert all(f"{one.similarity:.4f}" in text for one in found.neighbours)
    again = page.read_bytes()
    write_page(found, str(page))
    assert page.read_bytes() == again


def test_text_from_outside_is_escaped(tmp_path: Path, make_tracks: Tracks) -> None:
    evil = '"><script>alert(1)</script>'
    tracks = make_tracks(
        6, ids=[f"{evil}{number}\u202e" for number in range(6)], groups=[f"<b>{number}" for number in range(6)]
    )
    (tmp_path / "catalog.csv").touch()
    write_generation(tmp_path / "<i>tags", tracks, tags=(evil, "a", "b", "c"))
    page = tmp_path / "page.html"
    write_page(similar(str(tmp_path / "<i>tags"), track=tracks.ids[0]), str(page))
    reader = Reader(page.read_text(encoding="utf-8"))
    assert not {"script", "i"} & set(reader.elements)
    assert reader.elements.count("b") == 2  # the figures of the tiles
    text = "".join(reader.texts)
    assert all(f"{evil}{number}" in text for number in range(6))
    assert "\u202e" not in text


def test_audio_without_a_known_folder_has_no_player(tmp_path: Path, make_tracks: Tracks) -> None:
    tracks = make_tracks(6)
    write_generation(tmp_path / "tags", tracks, source=SourceEntry("dataset", str(tmp_path / "data")))
    page = tmp_path / "page.html"
    write_page(similar(str(tmp_path / "tags"), track=tracks.ids[0]), str(page))
    assert sources(page) == []
    assert "is not there: tracks removed from it since may be among these" in page.read_text(encoding="utf-8")
