"""What a dataset holds: tracks, features, splits and label sets, out of its small files; no payload is opened."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.info.feature_words import spec_in_words
from pipeline.labels.splits import SplitMethod, read_split, split_log
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, features_name
from schemas.label_version import label_set_names, versions_in_order
from schemas.manifests import GenerationEntry, LabelsManifest
from schemas.same_audio import same_audio
from schemas.storage.files import join, list_names
from schemas.tables import SPLITS

TRACK_COLUMNS = ("group", "cause", "seconds", "pcm_sha256", "flags")  # what `dataset_facts` reads
SAME_AUDIO_SHOWN = 3  # sets of ids that share their audio


@dataclasses.dataclass(frozen=True)
class FeatureFacts:
    """One family of features.

    Attributes:
        name: as folders and commands call it.
        words: what its spec means.
        derived: made from stored waveforms, not from audio.
        generations: how many of the dataset's it holds.
        bytes: of its payloads.
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
        name: of the split.
        versions: its versions, oldest first.
        made: how it is made, in words.
        counts: tracks of the newest version per side, removed ones included.
        without_side: stored tracks that the newest version does not place.
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
        version: its hash.
        kept: False where its files were pruned; what follows is then empty.
        tags: how many.
        tracks: how many.
        split: NAME@HASH of the split.
        values: `binary` or `graded`.
        missing: `negative` or `unknown`.
        generations: how many of the dataset's it covers.
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
        name: of the label set.
        versions: in the order in which they were laid, the newest last; one that was returned to is there again.
    """

    name: str
    versions: tuple[VersionFacts, ...]


@dataclasses.dataclass(frozen=True)
class DatasetFacts:
    """What a dataset holds.

    Attributes:
        root: the dataset.
        tracks: records and rejects, without removed tracks.
        records: stored tracks.
        rejects: tracks without a record by the cause of their newest attempt, ordered by cause.
        removed: tracks that were taken out.
        groups: groups (artists) of the stored tracks.
        hours: of stored audio.
        flags: stored tracks by flag, ordered by flag.
        same_audio: sets of ids that share one stored audio: how many, the tracks in them, and the first few.
        generations: as dataset.json has them, without one under way.
        under_way: how far a generation is that is not finished; None without one.
        features: of the built families, then the derived ones.
        splits: ordered by name.
        label_sets: ordered by name.
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
    """Count what a dataset holds.

    Args:
        dataset: the dataset.
        tracks: its newest tracks with TRACK_COLUMNS.

    Raises:
        DatasetError: a file of it is missing or damaged.
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
    """How often each value is there, ordered by value."""
    counts = pc.value_counts(column)
    return dict(sorted((pair["values"], pair["counts"]) for pair in counts.to_pylist()))


def _payload_bytes(dataset: Dataset) -> dict[FeatureSpec, int]:
    """Bytes of the payloads of all features: they are their records, whose lengths are known without them."""
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
