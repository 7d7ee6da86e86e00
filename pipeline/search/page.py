"""Render the nearest tracks as one HTML page, on which they can be heard."""

from __future__ import annotations

from pipeline.search.audio_places import audio_uris
from pipeline.search.similar import Neighbour, Similar, Track
from pipeline.search.summary import missing_source_words
from schemas.console.page import render_page
from schemas.players import Heard
from schemas.storage.files import write_atomic
from schemas.tags import Tags


def write_page(found: Similar, uri: str) -> None:
    """Write the results of a search as a page.

    Raises:
        DatasetError: A plan of the tags, which names the audio, is missing or damaged.
    """
    uris = audio_uris(Tags.open(found.tags), (found.query, *found.neighbours))

    def heard(track: Track) -> Heard:
        known = found.file if track.track_id is None else uris.get(track.track_id)
        return Heard.on(uri, known)

    rows: list[tuple[Neighbour, Heard]] = [(one, heard(one)) for one in found.neighbours]
    text = render_page(
        "pipeline.search",
        "similar.html",
        title=f"{found.tags}: nearest to {found.file or found.query.track_id}",
        found=found,
        asked=heard(found.query),
        rows=rows,
        warnings=[words] if (words := missing_source_words(found)) is not None else [],
    )
    write_atomic(uri, text.encode())
