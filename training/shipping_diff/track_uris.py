"""Where the audio of the tracks to listen to lies, as the plan of the new tags names it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.storage.files import join, open_read
from schemas.storage.store_client import StoreError
from schemas.tags import Tags
from schemas.user_files.table_files import folder_of
from training.shipping_diff.common_tracks import tagged_catalog
from training.shipping_diff.result import FlippedTrack


def uris_of(tags: Tags, tracks: Sequence[FlippedTrack], catalog: str | None) -> dict[str, str]:
    """Id -> uri of the audio of each track; one whose folder is unknown is left out.

    Args:
        tags: The tags.
        tracks: Tracks of them.
        catalog: The catalog, to whose folder relative uris refer; None for the one that was tagged. A dataset does not say
            where its catalog lay.

    Raises:
        DatasetError: A plan is missing or damaged.
    """
    catalog = catalog or tagged_catalog(tags)
    root = None if catalog is None else folder_of(catalog)
    found = {}
    for generation, shard in sorted({track.place for track in tracks}):
        wanted = {track.track_id for track in tracks if track.place == (generation, shard)}
        for row in _planned(tags.layout.plan(generation), shard):
            if row["track_id"] in wanted and (root is not None or join("/", row["uri"]) == row["uri"]):
                found[row["track_id"]] = join(root or "", row["uri"])
    return found


def _planned(uri: str, shard: int) -> list[dict[str, str]]:
    """Ids and uris of a shard, which is a row group of the plan."""
    try:
        with open_read(uri) as file:
            rows: list[dict[str, str]] = pq.ParquetFile(file).read_row_group(shard, ["track_id", "uri"]).to_pylist()
    except StoreError:
        raise  # the store is at fault, not the file
    except (OSError, pa.ArrowException, IndexError, ValueError) as error:
        raise DatasetError(f"{uri}: expected a plan: {' '.join(str(error).split())}; restore it from a copy") from error
    return rows
