"""Render an overview as one self-contained HTML page."""

from __future__ import annotations

import dataclasses

from pipeline.info.findings import findings, merge_words
from pipeline.info.label_health import BINS, LabelHealth, TagHealth
from pipeline.info.overview import Overview
from schemas.console.page import render_page
from schemas.storage.files import write_atomic
from schemas.tables import SPLITS

_SHOWN = 2000  # tags and pairs in a table; a browser's own limit is not far above


@dataclasses.dataclass(frozen=True)
class _LabelSection:
    """Facts on the page about a label version in addition to its health.

    Attributes:
        health: Health of the version.
        findings: Oddities, one sentence each.
        merge_words: What to do with the suggested merge; empty without one.
        has_unknown: True if some label is unknown.
        most_common_share: Largest share of positives of a tag; 1 if all are 0.
        artist_tables: Titles and tags of the non-empty tables.
        most_tracks: Number of tracks in the longest bar of labels per track, at least 1.
    """

    health: LabelHealth
    findings: list[str]
    merge_words: str
    has_unknown: bool
    most_common_share: float
    artist_tables: list[tuple[str, list[TagHealth]]]
    most_tracks: int


def write_page(overview: Overview, uri: str) -> None:
    """Write an overview as a page. Deterministic."""
    write_atomic(uri, page(overview).encode())


def page(overview: Overview) -> str:
    """The page: the contents of the dataset, then each label version; all text from outside is escaped."""
    return render_page(
        "pipeline.info",
        "info.html",
        title=overview.dataset.root,
        dataset=overview.dataset,
        problems=overview.problems,
        sections=[_section(health) for health in overview.labels],
        splits=SPLITS,
        shown=_SHOWN,
        bins=BINS,
    )


def _section(health: LabelHealth) -> _LabelSection:
    artist_tables = [
        ("Tags of one artist only", health.of_one_artist),
        ("Tags of one artist in every split but one", health.of_one_artist_but_for_one_split),
        ("Tags mostly of one artist", health.mostly_of_one_artist),
    ]
    words = merge_words(health) if health.synonyms.yaml else ""
    return _LabelSection(
        health=health,
        findings=findings(health),
        merge_words=words[:1].upper() + words[1:],
        has_unknown=any(sum(tag.unknown.values()) for tag in health.tags),
        most_common_share=max((tag.share for tag in health.tags), default=0.0) or 1.0,
        artist_tables=[(title, tags) for title, tags in artist_tables if tags],
        most_tracks=max((count for _, count in health.labels_per_track_bars), default=0) or 1,
    )
