"""Each tag over all common tracks: flips, shift of its scores, and how far its ranking of the tracks stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.console.progress import Progress
from training.shipping_diff.decisions import Decisions, Thresholds
from training.shipping_diff.float16_steps import UNIT
from training.shipping_diff.result import TagDiff

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOP = 100  # highest-scored tracks that are compared


def diff_tags(
    database: DuckDBPyConnection,
    tags: Sequence[str],
    thresholds: tuple[Thresholds, Thresholds],
    decisions: Decisions,
    tracks: int,
) -> tuple[TagDiff, ...]:
    """Compare each tag.

    Args:
        database: With the table `pairs`.
        tags: Names of the common tags.
        thresholds: Their thresholds in the old and in the new folder.
        decisions: The same as conditions.
        tracks: Number of common tracks.
    """
    found = []
    with Progress("compare", len(tags), "tags") as progress:
        for place, (tag, *lowest) in enumerate(zip(tags, *(one.values for one in thresholds), strict=True)):
            figures = _figures(database, place, decisions, tracks)
            found.append(TagDiff(tag, tracks, lowest[0], lowest[1], **figures))
            progress.update(place + 1)
    return tuple(found)


def _figures(database: DuckDBPyConnection, place: int, decisions: Decisions, tracks: int) -> dict[str, Any]:
    old, new = f"old_{place}", f"new_{place}"
    counted = (decisions.has_old, decisions.has_new, decisions.gained, decisions.lost)
    (row,) = database.execute(
        f"""WITH {_ranks(old)}, {_ranks(new)}
        SELECT {", ".join(f"count(*) FILTER ({condition(place)})" for condition in counted)},
            sum(of_{old}.units), sum(of_{new}.units), sum(abs(of_{new}.units - of_{old}.units)),
            sum(of_{old}.rank * of_{new}.rank), sum(of_{old}.rank * of_{old}.rank), sum(of_{new}.rank * of_{new}.rank)
        FROM pairs JOIN of_{old} USING ({old}) JOIN of_{new} USING ({new})"""
    ).fetchall()
    counts, sums = row[: len(counted)], list(map(int, row[len(counted) :]))
    top = min(TOP, tracks)
    highest = (f"(SELECT number FROM pairs ORDER BY {side} DESC, number LIMIT {top})" for side in (old, new))
    ((common,),) = database.execute(f"SELECT count(*) FROM {' JOIN '.join(highest)} USING (number)").fetchall()
    whole = tracks / UNIT
    return {
        **dict(zip(("old", "new", "gained", "lost"), counts, strict=True)),
        "old_mean": sums[0] / whole,
        "new_mean": sums[1] / whole,
        "absolute_shift": sums[2] / whole,
        "spearman": _spearman(tracks, *sums[3:]),
        "top": top,
        "top_common": int(common),
    }


def _ranks(column: str) -> str:
    """A table of a column's distinct steps: `units`, and `rank`, twice the mean rank of the tracks with that step."""
    return (
        f"of_{column} AS (SELECT {column}, units({column}) AS units, "
        f"(2 * sum(count(*)) OVER (ORDER BY {column}) - count(*) + 1)::BIGINT AS rank FROM pairs GROUP BY {column})"
    )


def _spearman(tracks: int, products: int, squares_a: int, squares_b: int) -> float:
    """Correlation of doubled ranks, whose mean is tracks + 1, from exact sums; NaN if all of a side are equal."""
    of_means = tracks * (tracks + 1) ** 2
    a, b = squares_a - of_means, squares_b - of_means
    return (products - of_means) / math.sqrt(a * b) if a and b else math.nan
