"""Collect the contents of a dataset (tracks, features, splits, label sets) from its small files, without payloads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.info.feature_words import spec_in_words
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import read_split, split_log
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, features_name
from schemas.label_version import label_set_names, versions_in_order
from schemas.labels_manifest import LabelsManifest
from schemas.manifests import GenerationEntry
from schemas.same_audio import same_audio
from schemas.storage.files import join, list_names
from schemas.tables import SPLITS

TRACK_COLUMNS = ("group", "cause", "seconds", "pcm_sha256", "flags")  # columns that `dataset_facts` reads
SAME_AUDIO_SHOWN = 3  # sets of ids with the same audio that are shown


@dataclasses.dataclass(frozen=True)
class FeatureFacts:
    """One family of features.

    Attributes:
        name: Name in folders and commands.
        words: Description of its spec.
        derived: True if it was made from stored waveforms, not from audio.
        generations: Number of the dataset's generations that it holds.
        bytes: Size of its payloads in bytes.
    """

    name: str
    words: str
    derived: bool
    generations: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class SplitFacts:
    """One split.

    Attributes:
        name: Name of the split.
        versions: Versions, oldest first.
        made: Description of its method.
        counts: Number of tracks of the newest version per side, including removed ones.
        without_side: Number of stored tracks without a side in the newest version.
    """

    name: str
    versions: tuple[str, ...]
    made: str
    counts: dict[str, int]
    without_side: int


@dataclasses.dataclass(frozen=True)
class VersionFacts:
    """One version of a label set.

    Attributes:
        version: Hash of the version.
        kept: False if its files were pruned; the other attributes are then empty.
        tags: Number of tags.
        tracks: Number of tracks.
        split: NAME@HASH of the split.
        values: `binary` or `graded`.
        missing: `negative` or `unknown`.
        generations: Number of the dataset's generations that it covers.
    """

    version: str
    kept: bool
    tags: int = 0
    tracks: int = 0
    split: str = ""
    values: str = ""
    missing: str = ""
    generations: int = 0


@dataclasses.dataclass(frozen=True)
class LabelSetFacts:
    """One label set.

    Attributes:
        name: Name of the label set.
        versions: Versions in the order of their creation, the newest last; a version that was restored appears again.
    """

    name: str
    versions: tuple[VersionFacts, ...]


@dataclasses.dataclass(frozen=True)
class DatasetFacts:
    """The contents of a dataset.

    Attributes:
        root: Folder of the dataset.
        tracks: Number of records and rejects, without removed tracks.
        records: Number of stored tracks.
        rejects: Number of tracks without a record by the cause of their newest attempt, ordered by cause.
        removed: Number of removed tracks.
        groups: Number of groups (artists) of the stored tracks.
        hours: Stored audio in hours.
        flags: Number of stored tracks by flag, ordered by flag.
        same_audio: Number of sets of ids that share their stored audio, number of tracks in them, and the first few sets.
        generations: Finished generations as in dataset.json.
        under_way: Progress of an unfinished generation; None if there is none.
        features: Built families, then derived ones.
        splits: Splits, ordered by name.
        label_sets: Label sets, ordered by name.
    """

    root: str
    tracks: int
    records: int
    rejects: dict[str, int]
    removed: int
    groups: int
    hours: float
    flags: dict[str, int]
    same_audio: tuple[int, int, tuple[tuple[str, ...], ...]]
    generations: tuple[GenerationEntry, ...]
    under_way: str | None
    features: tuple[FeatureFacts, ...]
    splits: tuple[SplitFacts, ...]
    label_sets: tuple[LabelSetFacts, ...]


def dataset_facts(dataset: Dataset, tracks: pa.Table) -> DatasetFacts:
    """Count the contents of a dataset.

    Args:
        dataset: The dataset.
        tracks: Its newest tracks with TRACK_COLUMNS.

    Raises:
        DatasetError: one of its files is missing or damaged.
    """
    kept = tracks.filter(pc.is_valid(tracks["record"]))
    same = same_audio(kept)
    sizes = _payload_bytes(dataset)
    return DatasetFacts(
        root=dataset.layout.root,
        tracks=tracks.num_rows,
        records=kept.num_rows,
        rejects=_counts(tracks["cause"].filter(pc.is_null(tracks["record"]))),
        removed=dataset.removed().num_rows,
        groups=pc.count_distinct(kept["group"]).as_py(),
        hours=(pc.sum(kept["seconds"]).as_py() or 0.0) / 3600,
        flags=_counts(pc.list_flatten(kept["flags"])),
        same_audio=(len(same), sum(map(len, same)), tuple(map(tuple, same[:SAME_AUDIO_SHOWN]))),
        generations=dataset.manifest.generations,
        under_way=dataset.under_way_words(),
        features=tuple(
            FeatureFacts(
                name=features_name(spec),
                words=spec_in_words(spec),
                derived=number >= len(dataset.manifest.families),
                generations=count,
                bytes=sizes[spec],
            )
            for number, (spec, count) in enumerate(dataset.whole_features())
        ),
        splits=tuple(_splits(dataset, kept["track_id"])),
        label_sets=tuple(
            LabelSetFacts(name, tuple(_version(dataset, name, each) for each in versions_in_order(dataset, name)))
            for name in label_set_names(dataset)
        ),
    )


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Number of occurrences of each value, ordered by value."""
    counts = pc.value_counts(column)
    return dict(sorted((pair["values"], pair["counts"]) for pair in counts.to_pylist()))


def _payload_bytes(dataset: Dataset) -> dict[FeatureSpec, int]:
    """Payload bytes of all features, summed over records, whose lengths are known without opening the payloads."""
    held = dataset.whole_features()
    sizes = dict.fromkeys((spec for spec, _ in held), 0)
    lengths = [f"{family}_{what}" for family in dataset.manifest.families for what in ("offset", "length")]
    for entry in dataset.manifest.generations:
        tracks = dataset.tracks_of(entry.generation, ["track_id", "shard", "record", "seconds", *lengths])
        for spec, count in held:
            if entry.generation < count:
                sizes[spec] += pc.sum(dataset.places(spec, tracks)["length"]).as_py() or 0
    return sizes


def _splits(dataset: Dataset, stored: pa.ChunkedArray) -> list[SplitFacts]:
    names = list_names(dataset.layout.splits("").rstrip("/"))
    return [_split(dataset, name, stored) for name in names if list_names(dataset.layout.splits(name))]


def _split(dataset: Dataset, name: str, stored: pa.ChunkedArray) -> SplitFacts:
    log = split_log(dataset, name)
    table = read_split(dataset, name, log[-1]["version"])
    placed = pc.is_in(stored, value_set=table["track_id"].combine_chunks())
    counts = _counts(table["split"])
    return SplitFacts(
        name=name,
        versions=tuple(line["version"] for line in log),
        made=SplitMethod.from_dict(log[-1]["made"]).words,
        counts={side: counts.get(side, 0) for side in SPLITS},
        without_side=int(np.count_nonzero(~placed.to_numpy())),
    )


def _version(dataset: Dataset, name: str, version: str) -> VersionFacts:
    folder = dataset.layout.label_version(name, version)
    if not list_names(folder):
        return VersionFacts(version, kept=False)
    manifest = LabelsManifest.read(join(folder, "labels.json"))
    return VersionFacts(
        version=version,
        kept=True,
        tags=manifest.counts["tags"],
        tracks=manifest.counts["tracks"],
        split=f"{manifest.split['name']}@{manifest.split['version']}",
        values=manifest.label_set["values"],
        missing=manifest.label_set["missing"],
        generations=len(manifest.generations),
    )
