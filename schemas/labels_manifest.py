"""labels.json: the sources of one version of a label set, and what it covers."""

from __future__ import annotations

import dataclasses
from typing import Any

from schemas.console.shown_commands import pipeline_command
from schemas.manifests import Manifest, read_json

# Keys that readers use from the fields of labels.json.
_LABELS_KEYS = {
    "label_set": ("values", "positive_at", "missing"),
    "split": ("name", "version"),
    "counts": ("tracks", "tags"),
}


@dataclasses.dataclass(frozen=True)
class LabelsManifest(Manifest):
    """labels.json: the sources of one version of a label set, and what it covers.

    Attributes:
        name: Name of the label set.
        version: Hash of the version, over vocabulary and labels.
        label_set: The label set as resolved from its YAML file.
        annotations_sha256: SHA-256 of each annotation file, in order of precedence.
        split: Name and version of the split.
        generations: SHA-256 of tracks/gen-NNN.parquet of every generation covered, oldest first.
        counts: Number of tracks, labelled tracks, tags, and tracks per split.
    """

    name: str
    version: str
    label_set: dict[str, Any]
    annotations_sha256: tuple[str, ...]
    split: dict[str, str]
    generations: tuple[str, ...]
    counts: dict[str, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, keys in _LABELS_KEYS.items():
            if missing := [key for key in keys if key not in getattr(self, name)]:
                raise ValueError(f"{name}: expected {' and '.join(missing)} in it, received {getattr(self, name)!r}")

    @classmethod
    def read(cls, uri: str) -> LabelsManifest:
        advice = f"lay the same label set again with `{pipeline_command('label')}`, or restore it from a copy"
        return cls.from_dict(read_json(uri, "a label version's manifest", advice), where=uri)
