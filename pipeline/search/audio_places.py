"""Where the audio of tracks lies, as the plan of the tags names it."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.jobs.plan import PlanReader
from pipeline.search.similar import Track
from schemas.storage.files import join
from schemas.tags import Tags
from schemas.user_files.table_files import folder_of


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
