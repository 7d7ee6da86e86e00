"""The words and the JSON that show the nearest tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.search.similar import Similar, Track
from schemas.console.report import Column, Line, Report, Table, heading, warning, widest


def similar_report(found: Similar) -> Report:
    """The query, how many tracks pass the filters, and a table of the nearest."""
    return Report.of(_parts(found))


def missing_source_words(found: Similar) -> str | None:
    """What cannot be known because the tagged dataset is not there; None if it is, or if a catalog was tagged."""
    if found.missing_source is None:
        return None
    return f"the tagged dataset {found.missing_source} is not there: tracks removed from it since may be among these"


def tag_words(track: Track) -> str:
    """The highest scores of a track, such as `rock 0.91, guitar 0.80`."""
    return ", ".join(f"{name} {score:.2f}" for name, score in track.top_tags)


def similar_fields(found: Similar, uris: Mapping[str, str]) -> dict[str, Any]:
    """All of it as JSON holds it.

    Args:
        found: results of a search.
        uris: id -> uri of the audio, of the tracks whose audio is known.
    """
    query = (
        _track_fields(found.query) if found.file is None else {"file": found.file, "tags": dict(found.query.top_tags)}
    )
    return {
        "index": found.tags,
        "query": query,
        "filters": list(found.filters),
        "tracks": found.tracks,
        "passing": found.passing,
        "exact": found.exact,
        "missing_source": found.missing_source,
        "results": [
            {
                "rank": one.rank,
                "similarity": one.similarity,
                **_track_fields(one),
                "uri": uris.get(str(one.track_id)),
            }
            for one in found.neighbours
        ],
    }


def _track_fields(track: Track) -> dict[str, Any]:
    return {"track_id": track.track_id, "group": track.group, "tags": dict(track.top_tags)}


def _parts(found: Similar) -> Iterator[Line | Table]:
    yield heading(f"{found.tags}: nearest to {found.file or found.query.track_id}, {tag_words(found.query)}")
    filters = f", {found.passing:,} pass {'; '.join(found.filters)}" if found.filters else ""
    yield Line(f"  tracks    {found.tracks:,}{filters}{'' if found.exact else ', not all compared'}")
    words = missing_source_words(found)
    if words is not None:
        yield warning(words)
    if not found.neighbours:
        yield Line("  no other track passes")
        return
    rows = [
        (f"{one.rank:,}", str(one.track_id), str(one.group), f"{one.similarity:.4f}", tag_words(one))
        for one in found.neighbours
    ]
    ids, groups = ([row[column] for row in rows] for column in (1, 2))
    columns = (
        Column("rank", 4, right=True),
        Column("track_id", max(8, widest(ids))),
        Column("group", max(5, widest(groups))),
        Column("similarity", 10, right=True),
        Column("top tags"),
    )
    yield Table(columns, tuple(rows))
