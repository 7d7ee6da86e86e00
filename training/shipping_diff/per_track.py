"""The flips of each track: which tracks to listen to, and in which groups tags flip most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from training.shipping_diff.database import total
from training.shipping_diff.decisions import Decisions
from training.shipping_diff.float16_steps import scores_of
from training.shipping_diff.result import FlippedTag, FlippedTrack, GroupDiff

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXAMPLES = 50  # tracks to listen to
GROUPS = 1_000  # groups that are told; of artists there may be many more
_GROUP_TAGS = 3  # tags named of each group


def count_flips(database: DuckDBPyConnection, decisions: Decisions) -> int:
    """Make the table `flips`, a row for each common track: `number`, `gained`, `lost`, and `size`, the sum of differences.

    Args:
        database: With the table `pairs`.
        decisions: When a track has a tag.

    Returns:
        The number of tracks with a flip.
    """
    places = range(len(decisions))
    sizes = [
        f"CASE WHEN {decisions.flips(place)} THEN abs(units(new_{place}) - units(old_{place})) ELSE 0 END"
        for place in places
    ]
    gained, lost = (
        total([f"{flips(place)}::INTEGER" for place in places]) for flips in (decisions.gained, decisions.lost)
    )
    database.execute(
        f"CREATE TABLE flips AS SELECT number, {gained} AS gained, {lost} AS lost, {total(sizes)} AS size FROM pairs"
    )
    return int(database.execute("SELECT count(*) FROM flips WHERE gained + lost > 0").fetchall()[0][0])


def tracks_to_hear(database: DuckDBPyConnection, tags: Sequence[str], decisions: Decisions) -> tuple[FlippedTrack, ...]:
    """The tracks with most flips, of those with equally many the ones with the largest differences.

    Args:
        database: With the tables `common`, `pairs` and `flips`.
        tags: Names of the common tags.
        decisions: When a track has a tag.
    """
    columns = ", ".join(f"{side}_{place}" for side in ("old", "new") for place in range(len(tags)))
    rows = database.execute(
        f"""WITH most AS (SELECT * FROM flips WHERE gained + lost > 0
            ORDER BY gained + lost DESC, size DESC, number LIMIT {EXAMPLES})
        SELECT track_id, group_name, new_generation, new_shard, {columns}
        FROM most JOIN common USING (number) JOIN pairs USING (number)
        ORDER BY gained + lost DESC, size DESC, number"""
    ).fetchall()
    found = []
    for track_id, group, generation, shard, *steps in rows:
        old, new = np.array(steps, np.uint16).reshape(2, len(tags))
        flipped = np.flatnonzero((old >= decisions.old) != (new >= decisions.new))
        gained = new >= decisions.new
        flips = [
            FlippedTag(tags[place], bool(gained[place]), *scores_of(np.array([old[place], new[place]])).tolist())
            for place in flipped.tolist()
        ]
        flips.sort(key=lambda one: (-abs(one.new - one.old), one.tag))
        found.append(FlippedTrack(track_id, group, (generation, shard), tuple(flips)))
    return tuple(found)


def diff_groups(
    database: DuckDBPyConnection, tags: Sequence[str], decisions: Decisions
) -> tuple[int, tuple[GroupDiff, ...]]:
    """Number of groups, and those with most flips beyond what as many tracks have on average; equal ones by name.

    Args:
        database: With the tables `common`, `pairs` and `flips`.
        tags: Names of the common tags.
        decisions: When a track has a tag.
    """
    database.execute(
        """CREATE TABLE groups AS
        SELECT value, count(*) AS tracks, sum(gained)::BIGINT AS gained, sum(lost)::BIGINT AS lost
        FROM flips JOIN common USING (number) GROUP BY value"""
    )
    ((count, tracks, flips),) = database.execute(
        "SELECT count(*), sum(tracks)::BIGINT, sum(gained + lost)::BIGINT FROM groups"
    ).fetchall()
    database.execute(
        f"""CREATE TABLE told AS SELECT row_number() OVER () AS place, * FROM (SELECT * FROM groups
        ORDER BY (gained + lost)::HUGEINT * {tracks} - tracks::HUGEINT * {flips} DESC, value NULLS LAST LIMIT {GROUPS})"""
    )
    per_tag = ", ".join(f"count(*) FILTER ({decisions.flips(place)})" for place in range(len(tags)))
    rows = database.execute(
        f"""SELECT told.value, told.tracks, told.gained, told.lost, {per_tag}
        FROM told JOIN common ON told.value IS NOT DISTINCT FROM common.value JOIN pairs USING (number)
        GROUP BY ALL ORDER BY any_value(told.place)"""
    ).fetchall()
    found = []
    for name, in_group, gained, lost, *flipped in rows:
        most = sorted(zip(tags, flipped, strict=True), key=lambda one: (-one[1], one[0]))[:_GROUP_TAGS]
        rate = (gained + lost) / (in_group * len(tags))
        found.append(GroupDiff(name, in_group, gained, lost, rate, tuple(one for one in most if one[1])))
    return int(count), tuple(found)
