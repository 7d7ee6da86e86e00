"""Where the audio of tracks lies, as the plan of the tags names it."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.search.similar import Track
from schemas.planned_audio import planned_uris
from schemas.tags import Tags


def audio_uris(tags: Tags, tracks: Iterable[Track]) -> dict[str, str]:
    """Id -> uri of the audio of each track, see `planned_uris`; an audio file that was asked about has no id."""
    return planned_uris(
        tags,
        {one.track_id: one.place for one in tracks if one.track_id is not None and one.place is not None},
    )
