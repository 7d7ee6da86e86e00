"""Where the audio of tracks lies, as the plan of their tags names it."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from schemas.plan_file import PlanReader
from schemas.storage.files import join
from schemas.tags import Tags
from schemas.user_files.table_files import folder_of


def planned_uris(tags: Tags, places: Mapping[str, tuple[int, int]], catalog: str | None = None) -> dict[str, str]:
    """Id -> uri of the audio of each track; one whose folder is unknown is left out.

    Args:
        tags: The tags.
        places: Id -> generation and shard of each track.
        catalog: The catalog, to whose folder relative uris refer; None for the one that was tagged. A dataset does not say
            where its catalog lay.

    Raises:
        DatasetError: A plan is missing or damaged.
    """
    catalog = catalog or tags.manifest.source.catalog
    root = None if catalog is None else folder_of(catalog)
    wanted: dict[int, dict[int, list[str]]] = {}
    for track, (generation, shard) in places.items():
        wanted.setdefault(generation, {}).setdefault(shard, []).append(track)
    found = {}
    for generation, shards in sorted(wanted.items()):
        plan = PlanReader(tags.layout.plan(generation))
        for shard, ids in sorted(shards.items()):
            rows = plan.shard(shard).select(["track_id", "uri"])
            for row in rows.filter(pc.is_in(rows["track_id"], value_set=pa.array(sorted(ids)))).to_pylist():
                if root is not None or join("/", row["uri"]) == row["uri"]:
                    found[row["track_id"]] = join(root or "", row["uri"])
    return found
