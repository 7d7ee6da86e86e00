"""Where the audio of tracks lies, as the plan of the tags names it, and how a page can play it."""

from __future__ import annotations

import os
import pathlib
import urllib.parse
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decode.catalog import folder_of
from pipeline.jobs.plan import PlanReader
from pipeline.search.similar import Track
from schemas.storage.files import is_remote, join, local_path, parent
from schemas.tags import Tags

_PLAYED = ("http://", "https://")  # what a browser fetches itself, besides local files


def audio_uris(tags: Tags, tracks: Iterable[Track]) -> dict[str, str]:
    """Id -> uri of the audio of each track; one whose folder is unknown is left out.

    A relative uri refers to the folder of the catalog. A dataset does not say where its catalog lay.

    Raises:
        DatasetError: A plan is missing or damaged.
    """
    source = tags.manifest.source
    root = folder_of(source.uri) if source.kind == "catalog" else None
    wanted: dict[int, dict[int, set[str]]] = {}
    for track in tracks:
        if track.place is not None and track.track_id is not None:
            generation, shard = track.place
            wanted.setdefault(generation, {}).setdefault(shard, set()).add(track.track_id)
    found = {}
    for generation, shards in sorted(wanted.items()):
        plan = PlanReader(tags.layout.plan(generation))
        for shard, ids in sorted(shards.items()):
            rows = plan.shard(shard).select(["track_id", "uri"])
            for row in rows.filter(pc.is_in(rows["track_id"], value_set=pa.array(sorted(ids)))).to_pylist():
                if root is not None or join("/", row["uri"]) == row["uri"]:
                    found[row["track_id"]] = join(root or "", row["uri"])
    return found


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
