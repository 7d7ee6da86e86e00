"""Find the tracks that two folders of tags both have scores of."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.tag_shards import PLACE
from schemas.tags import Tags
from schemas.user_files.table_files import read_table
from training.shipping_diff.result import OnlyIn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

GROUP = "group"  # of `--by`: the group that the tags themselves hold
_FIRST = 50  # ids named of the tracks that one side lacks
_NONE = OnlyIn(0, {}, ())
_COLUMNS = ("group", "shard", "cause")


@dataclasses.dataclass(frozen=True)
class CommonTracks:
    """What is left out of a comparison, and how much is left.

    Attributes:
        tracks: Number of common tracks, the rows of the table `common`.
        scored: Number of tracks with scores in the old and in the new folder.
        only: Tracks with scores in one of them alone.
        removed: Number of tracks that were removed from either.
        missing_sources: The tagged dataset of each folder, if it is not there.
    """

    tracks: int
    scored: tuple[int, int]
    only: tuple[OnlyIn, OnlyIn]
    removed: int
    missing_sources: tuple[str | None, str | None]


def find_common(
    database: DuckDBPyConnection, old: Tags, new: Tags, by: str | None, catalog: str | None
) -> CommonTracks:
    """Make the table `common`: a row for each track with scores in both folders, numbered in the order of their ids.

    Its columns are `number`, `track_id`, `group_name`, `value` (text of the column `by`), and `generation`, `shard` and
    `record` of each side, such as `old_shard`. The newest record of a track counts, and none of a track that was removed.

    Args:
        database: Where to make it.
        old: The tags in use.
        new: The tags that may replace them.
        by: `group` or a column of the catalog; None for neither.
        catalog: The catalog; None for the one that was tagged.

    Raises:
        UserError: There is no common track, or the catalog or its column is not there.
        DatasetError: The tags are damaged.
    """
    (gone_old, missing_old), (gone_new, missing_new) = old.removed_anywhere(), new.removed_anywhere()
    removed = pa.array(sorted(gone_old | gone_new), pa.string())
    for name, tags in (("old", old), ("new", new)):
        tracks = tags.newest_tracks(_COLUMNS)
        database.register(f"{name}_tracks", tracks.filter(pc.invert(pc.is_in(tracks["track_id"], value_set=removed))))
    value = "new_tracks.group" if by == GROUP else "NULL"
    values = ""
    if by is not None and by != GROUP:
        database.register("catalog_values", _catalog_values(old, new, by, catalog))
        value, values = "catalog_values.value", "LEFT JOIN catalog_values USING (track_id)"
    places = ", ".join(f"{side}_tracks.{name} AS {side}_{name}" for side in ("old", "new") for name in PLACE)
    database.execute(
        f"""CREATE TABLE common AS
        SELECT (row_number() OVER (ORDER BY track_id) - 1)::INTEGER AS number, track_id, new_tracks.group AS group_name,
            {value}::VARCHAR AS value, {places}
        FROM old_tracks JOIN new_tracks USING (track_id) {values}
        WHERE old_tracks.record IS NOT NULL AND new_tracks.record IS NOT NULL"""
    )
    tracks, old_scored, new_scored = (_count(database, table) for table in ("common", "old_tracks", "new_tracks"))
    found = CommonTracks(
        tracks=tracks,
        scored=(old_scored, new_scored),
        only=(
            _only_in(database, "old", "new") if old_scored > tracks else _NONE,
            _only_in(database, "new", "old") if new_scored > tracks else _NONE,
        ),
        removed=len(removed),
        missing_sources=(missing_old, missing_new),
    )
    for name in ("old_tracks", "new_tracks"):
        database.unregister(name)
    if not found.tracks:
        raise UserError(
            f"{old.layout.root}, {new.layout.root}: expected tracks with scores in both, found none among "
            f"{found.scored[0]:,} and {found.scored[1]:,}; tag the same catalog with both models"
        )
    return found


def side_tracks(database: DuckDBPyConnection, side: str) -> pa.Table:
    """The columns number, track_id, generation, shard and record of the common tracks in one of the folders."""
    places = ", ".join(f"{side}_{name} AS {name}" for name in PLACE)
    return database.sql(f"SELECT number, track_id, {places} FROM common").to_arrow_table()


def _count(database: DuckDBPyConnection, table: str) -> int:
    column = "number" if table == "common" else "record"  # null for rejected tracks
    return int(database.execute(f"SELECT count({column}) FROM {table}").fetchall()[0][0])


def _only_in(database: DuckDBPyConnection, here: str, there: str) -> OnlyIn:
    rows = (
        f"FROM {here}_tracks AS here LEFT JOIN {there}_tracks AS there USING (track_id) "
        "WHERE here.record IS NOT NULL AND there.record IS NULL"
    )
    counts = database.execute(f"SELECT there.cause, count(*) {rows} GROUP BY ALL ORDER BY ALL").fetchall()
    first = database.execute(f"SELECT track_id {rows} ORDER BY track_id LIMIT {_FIRST}").fetchall()
    return OnlyIn(
        tracks=sum(count for _, count in counts),
        rejected={cause: count for cause, count in counts if cause is not None},
        first=tuple(track for (track,) in first),
    )


def _catalog_values(old: Tags, new: Tags, by: str, catalog: str | None) -> pa.Table:
    """The columns track_id and value of a catalog."""
    uri = catalog or new.manifest.source.catalog or old.manifest.source.catalog
    if uri is None:
        raise UserError(
            f"--by {by}: {new.layout.root} holds no such column, and the dataset that was tagged does not name its catalog; give "
            f"--catalog FILE, or --by {GROUP}"
        )
    schema = pa.schema([pa.field("track_id", pa.string(), nullable=False)])
    table = read_table(uri, what="catalog", required=("track_id", by), schema=schema)
    ids = table["track_id"]
    if by == "track_id" or pc.count_distinct(ids).as_py() < len(ids):
        wanted = "a column of groups" if by == "track_id" else "every track_id once"
        raise UserError(f"--by {by}: expected {wanted} in {uri}, found others; name another --by or --catalog")
    return pa.table({"track_id": ids, "value": table[by]})
