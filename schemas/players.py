"""Where the audio of a track lies, and how a page can play it; the macro `player` of parts.html shows it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import urllib.parse

from schemas.storage.files import is_remote, local_path, parent

_PLAYED = ("http://", "https://")  # what a browser fetches itself, besides local files


@dataclasses.dataclass(frozen=True)
class Heard:
    """Where the audio of a track lies.

    Attributes:
        uri: As the plan or the user names it; None if that is unknown.
        source: Address from which the page plays it; None if it cannot.
    """

    uri: str | None
    source: str | None

    @classmethod
    def on(cls, page: str, uri: str | None) -> Heard:
        """Audio that a page shows.

        Args:
            page: The page.
            uri: The audio; None if it is unknown where it lies.
        """
        return cls(uri, None if uri is None else player_source(uri, page))


def player_source(uri: str, page: str) -> str | None:
    """The address from which a page plays audio; None if a browser cannot fetch it, or it is not there.

    Args:
        uri: The audio.
        page: The page; a local file is named from its folder, so that both can be moved together.
    """
    if is_remote(uri):
        return uri if uri.lower().startswith(_PLAYED) else None
    path = os.path.abspath(local_path(uri))
    if not os.path.isfile(path):
        return None
    if is_remote(page):
        return pathlib.Path(path).as_uri()
    relative = os.path.relpath(path, parent(page))
    return urllib.parse.quote(os.fsencode(relative))
