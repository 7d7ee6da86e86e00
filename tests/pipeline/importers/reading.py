"""Reads the output of an import as the next commands do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.decode.catalog import read_catalog
from pipeline.labels.annotations import read_annotations
from pipeline.labels.label_set import read_label_set


def rows_of(out: Path) -> dict[str, dict[str, Any]]:
    """Track id -> its row of the catalog."""
    rows = read_catalog(str(out / "catalog.parquet")).table.to_pylist()
    return {row.pop("track_id"): row for row in rows}


def labels_of(out: Path) -> dict[str, dict[str, float]]:
    """Track id -> its tags with their values."""
    read = read_annotations([str(out / "annotations.parquet")])
    ids = read.tracks.to_pylist()
    found: dict[str, dict[str, float]] = {}
    for track, tag, value in zip(read.track, read.tag, read.value, strict=True):
        found.setdefault(ids[track], {})[read.tags[tag]] = float(value)
    return found


def label_set_tags(out: Path) -> tuple[str, ...]:
    return read_label_set(str(out / "label_set.yaml")).tags
